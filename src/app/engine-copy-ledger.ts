// What the backup job asks of the metadata, over its engine; and copies as files in the metadata
// server's data directory.
import { join } from "node:path";
import type { SliceId } from "../domain/ids.ts";
import type {
  CopyFiles,
  CopyLedger,
  FileCopy,
  MadeCopy,
  NodeCopy,
} from "../jobs/backup/copy-ledger.ts";
import { makeCopy } from "../meta/copies/copy-maker.ts";
import { checked } from "../meta/copies/copy-reader.ts";
import { PARTIAL_SUFFIX, readPieces, writeCopyFile } from "../meta/copies/copy-files.ts";
import {
  addCopyPart,
  beginCopy,
  copySlice,
  dropCopy,
  finishCopy,
  noteCited,
  storedCopies,
} from "../meta/copies/copy-records.ts";
import type { Engine } from "../meta/engine/engine.ts";
import type { Clock } from "../platform/clock.ts";
import type { Disk } from "../platform/disk/disk.ts";

const DURABLE = { durable: true };
/** Sorted as text they are sorted by time. */
const FILE_NAME = /^metadata-([0-9]{15})\.dfscopy$/;

export class EngineCopyLedger implements CopyLedger {
  readonly #engine: Engine;
  readonly #clusterId: string;
  readonly #clock: Clock;

  constructor(engine: Engine, clusterId: string, clock: Clock) {
    this.#engine = engine;
    this.#clusterId = clusterId;
    this.#clock = clock;
  }

  async *make(madeMs: number): AsyncGenerator<Buffer, void, undefined> {
    const head = { clusterId: this.#clusterId, madeMs };
    let last: Buffer | undefined;
    for await (const piece of makeCopy(this.#engine, head, this.#clock)) {
      if (last !== undefined) yield last;
      last = piece;
    }
    // Without its last piece it is no copy yet, wherever it is put.
    await this.#engine.transact(noteCited, DURABLE);
    if (last !== undefined) yield last;
  }

  async copies(): Promise<NodeCopy[]> {
    return await this.#engine.read(storedCopies);
  }

  begin(madeMs: number): Promise<NodeCopy> {
    return this.#engine.transact((tx) => beginCopy(tx, madeMs), DURABLE);
  }

  addPart(copy: NodeCopy): Promise<NodeCopy> {
    return this.#engine.transact((tx) => addCopyPart(tx, copy), DURABLE);
  }

  sliceOf(copy: NodeCopy, part: number): SliceId {
    return copySlice(copy.number, part);
  }

  async finish(copy: NodeCopy, sizeBytes: number, obsolete: readonly NodeCopy[]): Promise<void> {
    await this.#engine.transact((tx) => {
      finishCopy(tx, copy, sizeBytes);
      for (const old of obsolete) dropCopy(tx, old);
    }, DURABLE);
  }

  async drop(copy: NodeCopy): Promise<void> {
    await this.#engine.transact((tx) => dropCopy(tx, copy), DURABLE);
  }
}

export class DirectoryCopyFiles implements CopyFiles {
  readonly #disk: Disk;
  readonly #directory: string;

  /** @param directory made when the first copy is */
  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
  }

  async list(): Promise<FileCopy[]> {
    if ((await this.#disk.facts(this.#directory)) === undefined) return [];
    return (await this.#disk.list(this.#directory))
      .map((name) => FILE_NAME.exec(name)?.[1])
      .filter((digits) => digits !== undefined)
      .sort()
      .map((digits) => ({ madeMs: Number(digits) }));
  }

  async write(madeMs: number, pieces: AsyncIterable<Buffer>): Promise<MadeCopy> {
    await this.#disk.makeDirectory(this.#directory, 0o700);
    // Of a copy that a killed server was making; there is one at a time.
    for (const name of await this.#disk.list(this.#directory)) {
      if (name.endsWith(PARTIAL_SUFFIX)) await this.#disk.remove(join(this.#directory, name));
    }
    const { position, sizeBytes } = await writeCopyFile(this.#disk, this.#path(madeMs), pieces);
    return { position, sizeBytes };
  }

  read({ madeMs }: FileCopy): AsyncIterable<Buffer> {
    return checked(readPieces(this.#disk, this.#path(madeMs)));
  }

  async remove({ madeMs }: FileCopy): Promise<void> {
    await this.#disk.remove(this.#path(madeMs));
  }

  #path(madeMs: number): string {
    const digits = String(Math.max(0, Math.round(madeMs))).padStart(15, "0");
    return join(this.#directory, `metadata-${digits}.dfscopy`);
  }
}
