// A directory whose entries a power cut may take back: those that were made, changed or removed
// since it was last synced.
import type { SeededRandom } from "../seeded-random.ts";
import { PageFile } from "./page-file.ts";

export type DiskNode = PageFile | MemoryDirectory;

/** What one call changes: names and what they stand for then. */
export type EntryChange = readonly (readonly [string, DiskNode | undefined])[];

export class MemoryDirectory {
  #entries = new Map<string, DiskNode>();
  #stored = new Map<string, DiskNode>();
  /** In order; whole ones only are ever stored. */
  #unsynced: EntryChange[] = [];

  get(name: string): DiskNode | undefined {
    return this.#entries.get(name);
  }

  names(): string[] {
    return [...this.#entries.keys()];
  }

  /** All at once, as a rename is. */
  change(change: EntryChange): void {
    apply(this.#entries, change);
    this.#unsynced.push(change);
  }

  sync(): void {
    this.#unsynced = [];
    this.#stored = new Map(this.#entries);
  }

  /** Without `random` all that was never synced is gone, else some of it from the end on. */
  cut(random: SeededRandom | undefined): void {
    const kept = random === undefined ? 0 : random.below(this.#unsynced.length + 1);
    for (const change of this.#unsynced.slice(0, kept)) apply(this.#stored, change);
    this.#unsynced = [];
    this.#entries = new Map(this.#stored);
    for (const node of this.#entries.values()) node.cut(random);
  }

  /** Every file below, by its path from here. */
  *files(path = ""): Generator<[string, PageFile]> {
    for (const [name, node] of this.#entries) {
      if (node instanceof PageFile) yield [`${path}${name}`, node];
      else yield* node.files(`${path}${name}/`);
    }
  }

  /** Another directory of the same content, all of it on its disk. */
  copy(): MemoryDirectory {
    const directory = new MemoryDirectory();
    for (const [name, node] of this.#entries) directory.#entries.set(name, node.copy());
    directory.sync();
    return directory;
  }

  /** Another directory of what a power cut would leave at the least. */
  storedCopy(): MemoryDirectory {
    const directory = new MemoryDirectory();
    for (const [name, node] of this.#stored) directory.#entries.set(name, node.storedCopy());
    directory.sync();
    return directory;
  }
}

function apply(entries: Map<string, DiskNode>, change: EntryChange): void {
  for (const [name, node] of change) {
    if (node === undefined) entries.delete(name);
    else entries.set(name, node);
  }
}
