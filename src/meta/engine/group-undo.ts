// What the keys had before a group of commits that isn't in the journal yet: what reads see when
// the group must wait.
import { ChangedLayer, keyOfText, type Changes, type Layer } from "./layers.ts";
import { SortedMap } from "./sorted-map.ts";

/** Room for so many notes is kept from group to group: making it anew costs more than a note. */
const KEPT_NOTES = 1024;

export class GroupUndo {
  #keys: string[] = [];
  #values: (Uint8Array | null | undefined)[] = [];
  #count = 0;

  /** `value`: what the changes in memory had for the key; undefined: nothing. */
  note(key: string, value: Uint8Array | null | undefined): void {
    this.#keys[this.#count] = key;
    this.#values[this.#count] = value;
    this.#count += 1;
  }

  /** The group is in the journal. */
  clear(): void {
    if (this.#count > KEPT_NOTES) {
      this.#keys = [];
      this.#values = [];
    }
    this.#count = 0;
  }

  /** `top` without the group, which is in its changes over `below`. */
  hideIn(top: Layer, below: Layer): Layer {
    const before: Changes = new SortedMap();
    // A key's first note counts.
    for (let index = this.#count - 1; index >= 0; index -= 1) {
      const key = this.#keys[index] ?? "";
      const value = this.#values[index];
      before.set(key, value === undefined ? (below.get(keyOfText(key), key) ?? null) : value);
    }
    return new ChangedLayer(before, top);
  }
}
