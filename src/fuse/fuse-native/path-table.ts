// Paths to inode numbers, for a driver that speaks in paths. What is remembered are dentries, so
// that renaming a directory leaves everything below it right.
import type { Attr, Caller } from "../../domain/attributes.ts";
import { FsError, isFsError } from "../../domain/errno.ts";
import { ROOT_INO, type Ino, type Name } from "../../domain/ids.ts";
import { MAX_REMEMBERED_NAMES } from "./limits.ts";
import { toName } from "../../domain/name.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Vfs } from "../../vfs/vfs.ts";

/** A name in a directory, as operations on names take it. */
export interface Place {
  readonly parent: Ino;
  readonly name: Name;
}

interface Dentry {
  readonly ino: Ino;
  readonly expiresMs: number;
}

export interface PathTableOptions {
  readonly vfs: Vfs;
  readonly caller: Caller;
  readonly clock: Clock;
  /** How long a name is believed to be what it was. */
  readonly entryTimeoutMs: number;
  readonly maxNames?: number;
}

/** Each dentry holds one of the Vfs's lookup references, given back when it goes. */
export class PathTable {
  readonly #options: PathTableOptions;
  readonly #maxNames: number;
  /** In order of use, oldest first. */
  readonly #dentries = new Map<string, Dentry>();
  /** Counts removals and renames: a lookup that one of them overtook isn't remembered. */
  #removals = 0;

  constructor(options: PathTableOptions) {
    this.#options = options;
    this.#maxNames = options.maxNames ?? MAX_REMEMBERED_NAMES;
  }

  /**
   * Runs `use`, and once more with nothing believed when what was remembered turned out to be gone:
   * another client has renamed or replaced it.
   */
  async resolving<T>(use: (walk: Walk) => Promise<T>): Promise<T> {
    const walk = new Walk(this, false);
    try {
      return await use(walk);
    } catch (error) {
      const stale = isFsError(error, "ESTALE") && walk.remembered;
      const gone = isFsError(error, "ENOENT") && walk.targetRemembered;
      if (!stale && !gone) throw error;
    }
    return use(new Walk(this, true));
  }

  /** Undefined when it isn't known, or no longer believed. */
  recall({ parent, name }: Place): Ino | undefined {
    const key = keyOf(parent, name);
    const dentry = this.#dentries.get(key);
    if (dentry === undefined || dentry.expiresMs <= this.#options.clock.monotonicMs()) return;
    this.#dentries.delete(key);
    this.#dentries.set(key, dentry);
    return dentry.ino;
  }

  /** Asks the Vfs. */
  async lookup(place: Place): Promise<Attr> {
    const { vfs, caller } = this.#options;
    const removals = this.#removals;
    try {
      const attr = await vfs.lookup(caller, place.parent, place.name);
      if (removals === this.#removals) this.adopt(place, attr.ino);
      else vfs.forget(attr.ino, 1);
      return attr;
    } catch (error) {
      this.drop(place);
      throw error;
    }
  }

  /** Remembers what a reply named; its lookup reference is the table's from now on. */
  adopt({ parent, name }: Place, ino: Ino): void {
    const { clock, entryTimeoutMs } = this.#options;
    this.drop({ parent, name });
    const expiresMs = clock.monotonicMs() + entryTimeoutMs;
    this.#dentries.set(keyOf(parent, name), { ino, expiresMs });
    while (this.#dentries.size > this.#maxNames) {
      for (const key of this.#dentries.keys()) {
        this.#dropKey(key);
        break;
      }
    }
  }

  drop({ parent, name }: Place): void {
    this.#dropKey(keyOf(parent, name));
  }

  /** Runs a change that takes these names away, or gives them to other inodes, done or failed. */
  async changing<T>(places: readonly Place[], change: () => T | Promise<T>): Promise<T> {
    try {
      return await change();
    } finally {
      this.#removals++;
      for (const place of places) this.drop(place);
    }
  }

  clear(): void {
    for (const key of [...this.#dentries.keys()]) this.#dropKey(key);
  }

  #dropKey(key: string): void {
    const dentry = this.#dentries.get(key);
    if (dentry === undefined) return;
    this.#dentries.delete(key);
    this.#options.vfs.forget(dentry.ino, 1);
  }
}

function keyOf(parent: Ino, name: Name): string {
  return `${parent}/${name}`;
}

/** One operation's way through the tree. */
export class Walk {
  /** Some directory on the way, or the target, was taken from memory. */
  remembered = false;
  /** What `ino` returned was. */
  targetRemembered = false;
  readonly #table: PathTable;
  readonly #fresh: boolean;

  constructor(table: PathTable, fresh: boolean) {
    this.#table = table;
    this.#fresh = fresh;
  }

  async ino(path: string): Promise<Ino> {
    if (path === "/") return ROOT_INO;
    const place = await this.place(path);
    const ino = this.#fresh ? undefined : this.#table.recall(place);
    if (ino === undefined) return (await this.#table.lookup(place)).ino;
    this.targetRemembered = true;
    this.remembered = true;
    return ino;
  }

  /** @throws FsError EBUSY for the root, which has no name; ENAMETOOLONG */
  async place(path: string): Promise<Place> {
    const names = path.split("/").slice(1);
    const last = names.pop();
    if (last === undefined || last === "") throw new FsError("EBUSY", "the root has no name");
    let parent = ROOT_INO;
    for (const name of names) parent = await this.#step({ parent, name: toName(name) });
    return { parent, name: toName(last) };
  }

  async #step(place: Place): Promise<Ino> {
    const ino = this.#fresh ? undefined : this.#table.recall(place);
    if (ino === undefined) return (await this.#table.lookup(place)).ino;
    this.remembered = true;
    return ino;
  }
}
