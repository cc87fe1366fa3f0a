// The files of a run, and who works on which: one program at a time changes a file, so that its
// history has an order; anybody reads.
import type { Ino, Name } from "../../domain/ids.ts";
import type { SeededRandom } from "../seeded-random.ts";
import { FileHistory } from "./file-history.ts";
import type { SimProcess } from "./machine.ts";

/** What a dead process had sent may arrive so long after. */
const LATE_MS = 15_000;

export interface SimFile {
  readonly history: FileHistory;
  /** Known once it was made. */
  ino: Ino | undefined;
  /** Undefined: it has none any more. */
  name: Name | undefined;
  /** Nobody changes it any more: an operation failed, and what it did is unknown. */
  isTroubled: boolean;
}

interface Claim {
  readonly by: SimProcess;
  diedAtMs: number | undefined;
}

export class SimFiles {
  readonly all: SimFile[] = [];
  /** Names whose files are replaced, and the last that was meant to stand there. */
  readonly slots = new Map<Name, SimFile>();
  readonly #cluster: number;
  readonly #random: SeededRandom;
  readonly #claims = new Map<SimFile, Claim>();
  #operations = 0;

  constructor(cluster: number, random: SeededRandom) {
    this.#cluster = cluster;
    this.#random = random;
  }

  /** Numbers the operations of all programs, in their order. */
  nextOperation(): number {
    this.#operations += 1;
    return this.#operations;
  }

  /** A file that is to be made, claimed. */
  add(prefix: string, by: SimProcess): SimFile {
    const key = this.all.length + 1;
    const history = new FileHistory(this.#cluster, key);
    const name = `${prefix}${key}` as Name; // letters and digits
    const file: SimFile = { history, ino: undefined, name, isTroubled: false };
    this.all.push(file);
    this.#claim(file, by);
    return file;
  }

  /** A file for its owner to work on, claimed; undefined when there is none. */
  claimAny(by: SimProcess, accept: (file: SimFile) => boolean): SimFile | undefined {
    const nowMs = by.machine.timeline.nowMs;
    const free = this.all.filter(
      (file) => accept(file) && !file.isTroubled && this.#isFree(file, nowMs),
    );
    if (free.length === 0) return undefined;
    const file = this.#random.pick(free);
    this.#claim(file, by);
    return file;
  }

  release(file: SimFile): void {
    this.#claims.delete(file);
  }

  #claim(file: SimFile, by: SimProcess): void {
    const claim: Claim = { by, diedAtMs: undefined };
    this.#claims.set(file, claim);
    by.onDeath(() => {
      claim.diedAtMs = by.machine.timeline.nowMs;
    });
  }

  #isFree(file: SimFile, nowMs: number): boolean {
    const claim = this.#claims.get(file);
    if (claim === undefined) return true;
    return claim.diedAtMs !== undefined && nowMs - claim.diedAtMs > LATE_MS;
  }
}

/** The key says which file it is, whatever its name. */
export function nameOf({ name, history, ino }: SimFile): string {
  return `${name ?? "nameless"} (file ${history.key}, inode ${ino ?? "unknown"})`;
}
