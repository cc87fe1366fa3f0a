// After a restart: what the journals have beyond the last checkpoint, and whether anything is gone
// that had been on disk. A tail that a power cut took was never promised; history that breaks below
// what was durable is damage, and nobody goes on from it unasked.
import { FsError } from "../../domain/errno.ts";
import type { Disk } from "../../platform/disk/disk.ts";
import { unknownFormat, type StoreState } from "./checkpoint-store.ts";
import {
  encodeHead,
  examineHead,
  FILE_HEAD,
  findRecords,
  isRoom,
  readChanges,
  readRecord,
  seedOf,
} from "./journal-records.ts";
import { journalGenerations, journalPath } from "./journal.ts";
import type { Changes } from "./layers.ts";
import { SortedMap } from "./sorted-map.ts";

/** Where history ends. */
export interface HistoryEnd {
  readonly generation: number;
  /** What is wrong with that journal, in words. */
  readonly what: string;
  /** Its end is no power cut's doing, whether or not something durable is gone. */
  readonly damaged: boolean;
}

export interface Recovered {
  readonly changes: Changes;
  /** The last whole one. */
  readonly position: number;
  /** Records that were redone. */
  readonly records: number;
  /** The newest generation that was ever begun. */
  readonly newest: number;
  /** Every journal that was found. */
  readonly found: readonly number[];
  /** Undefined where every journal was whole. */
  readonly end: HistoryEnd | undefined;
  /** Up to here all had been on disk. */
  readonly durable: number;
}

/**
 * Reads, and changes nothing. `durable` is what the database knows to have been on disk.
 * @throws FsError EIO when the journals are of another store or another format
 */
export function readJournals(
  disk: Disk,
  directory: string,
  state: StoreState,
  durable: number,
): Recovered {
  const reader = new JournalReader(disk, directory, state, durable);
  reader.run();
  return reader;
}

class JournalReader implements Recovered {
  readonly changes: Changes = new SortedMap();
  readonly newest: number;
  readonly found: readonly number[];
  position: number;
  records = 0;
  end: HistoryEnd | undefined;
  durable: number;
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #state: StoreState;
  #checksum: number;

  constructor(disk: Disk, directory: string, state: StoreState, durable: number) {
    this.#disk = disk;
    this.#directory = directory;
    this.#state = state;
    this.#checksum = state.crc;
    this.position = state.position;
    this.durable = Math.max(state.position, durable);
    this.found = journalGenerations(disk, directory);
    this.newest = Math.max(state.created, state.applied, ...this.found);
  }

  run(): void {
    for (let generation = this.#state.applied + 1; generation <= this.newest; generation += 1) {
      this.#readGeneration(generation);
    }
  }

  #readGeneration(generation: number): void {
    // One behind `created` may be unfinished, and was never used.
    const expected = generation <= this.#state.created;
    if (!this.found.includes(generation)) {
      if (expected) this.#endHere(generation, "is missing", true);
      return;
    }
    const head = encodeHead(this.#state.storeId, generation);
    const seed = seedOf(head);
    const file = this.#disk.readWholeSync(journalPath(this.#directory, generation));
    const finding = examineHead(file, head);
    if (finding === "another version's") throw unknownFormat(file[4] ?? 0);
    if (finding !== "expected") {
      const what = finding === "spoilt" ? "has a spoilt head" : "is another store's";
      this.#endHere(generation, what, expected || finding === "another store's");
    }
    let at = FILE_HEAD;
    while (this.end === undefined && at < file.length) at = this.#redo(file, at, generation, seed);
    if (this.end === undefined) return;
    // What had been on disk is told by what was written later, if any of that is left.
    for (const record of findRecords(file, 0, seed)) {
      this.durable = Math.max(this.durable, record.durable);
    }
  }

  /** Redoes the record at `at`. Returns where the next one begins. */
  #redo(file: Buffer, at: number, generation: number, seed: number): number {
    const record = readRecord(file, at, seed);
    if (record === undefined) {
      if (isRoom(file, at)) return file.length;
      this.#endHere(generation, `is broken at byte ${at}`, false);
      return at;
    }
    if (record.previous !== this.#checksum) {
      this.#endHere(generation, `goes on at byte ${at} from what isn't there`, false);
      return at;
    }
    readChanges(record.changes, this.changes);
    this.#checksum = record.checksum;
    this.position = record.position;
    this.durable = Math.max(this.durable, record.durable);
    this.records += 1;
    return record.end;
  }

  #endHere(generation: number, what: string, damaged: boolean): void {
    this.end ??= { generation, what, damaged };
  }
}

/** Some of what had been on disk is gone, or must be taken for it. */
export function hasLost({ end, position, durable }: Recovered): boolean {
  return position < durable || end?.damaged === true;
}

/** The refusal to go on from what has lost something, for whoever reads it at a terminal. */
export function lossError(directory: string, { end, position, durable }: Recovered): FsError {
  const where =
    end === undefined ? "its journals end early" : `journal-${end.generation} ${end.what}`;
  return new FsError(
    "EIO",
    `the metadata store in ${directory} is damaged: ${where}. Its history is whole up to change ` +
      `${position}, and was on disk up to ${durable} at least. Nothing was changed, here or on ` +
      "the nodes. If a better copy of the directory or the journal is at hand, put it back; else " +
      'restore a copy of the metadata ("dfs meta restore"), or go on from ' +
      `change ${position} without what came after ("dfs meta --accept-loss")`,
  );
}

/** The refusal to begin anew beside the journals of a store whose database is gone. */
export function missingDatabaseError(directory: string): FsError {
  return new FsError(
    "EIO",
    `the metadata database in ${directory} is missing or empty, and journals of it are there. ` +
      "Nothing was changed. Put data.mdb back, or move the directory away and restore a copy of " +
      'the metadata ("dfs meta restore")',
  );
}
