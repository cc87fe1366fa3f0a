// Files whose bytes a model knows, over a store in memory, with the jobs that move bytes: for tests
// that interleave them with writes.
import type { ExecutionContext } from "ava";
import { EngineDataLedger } from "../../app/engine-data-ledger.ts";
import { EngineSliceLedger } from "../../app/engine-slice-ledger.ts";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import type { ClusterMap, MapNode } from "../../domain/cluster-map.ts";
import {
  DEFAULT_POOL,
  ROOT_INO,
  type Epoch,
  type Ino,
  type Name,
  type NodeId,
  type ShardId,
} from "../../domain/ids.ts";
import { blockCount, type Extent } from "../../domain/layout.ts";
import { BLOCK_BYTES } from "../../domain/format.ts";
import { CompactionJob } from "../../jobs/compaction-job.ts";
import type { DataLedger } from "../../jobs/data-ledger.ts";
import { GcJob } from "../../jobs/gc-job.ts";
import type { Job } from "../../jobs/job.ts";
import { PackingJob } from "../../jobs/packing-job.ts";
import { readPieces } from "../../jobs/read-pieces.ts";
import { MemoryEngine } from "../../meta/engine/memory-engine.ts";
import { keyRanges } from "../../meta/schema/keys.ts";
import { decodeSlice } from "../../meta/schema/slice.ts";
import { JobSliceIds } from "../../meta/session/job-session.ts";
import { silentLog } from "../../observability/log.ts";
import { MemoryBlockStore } from "../vfs/block-memory.ts";
import { TestNamespace } from "../engine/engine-namespace.ts";

export interface ModelFile {
  readonly ino: Ino;
  readonly name: string;
  bytes: Buffer;
}

/** All that gc needs to know of the nodes below the block store in memory. */
const ONE_NODE: ClusterMap = {
  epoch: 1 as Epoch,
  nodes: [{ id: "node" as NodeId, url: "http://node.test", weight: 100, zone: "", state: "up" }],
  pools: [{ id: DEFAULT_POOL, name: "default", k: 4, m: 2, pgCount: 1 }],
};

export const signal = new AbortController().signal;

/** Passes until the job has nothing more to do. */
export async function runJob(job: Job): Promise<void> {
  while ((await job.pass(signal)) !== "done");
}

/** Lets `meanwhile` happen once what is to be moved was read, before it is committed. */
export function interrupted(ledger: DataLedger, meanwhile: () => Promise<void>): DataLedger {
  return {
    fragmentedChunks: (...args) => ledger.fragmentedChunks(...args),
    hasRoom: () => ledger.hasRoom(),
    readRun: (...args) => ledger.readRun(...args),
    smallSlices: (...args) => ledger.smallSlices(...args),
    issuedBelow: () => ledger.issuedBelow(),
    takeSliceId: () => ledger.takeSliceId(),
    abandon: (stored) => ledger.abandon(stored),
    async replaceRun(...args) {
      await meanwhile();
      return await ledger.replaceRun(...args);
    },
    async pack(...args) {
      await meanwhile();
      return await ledger.pack(...args);
    },
  };
}

export class TidyWorld implements AsyncDisposable {
  readonly fs: TestNamespace;
  readonly blocks = new MemoryBlockStore();
  readonly ledger: DataLedger;
  readonly slices: EngineSliceLedger;
  readonly files: ModelFile[] = [];
  readonly #ids: JobSliceIds;
  #names = 0;
  #fill = 0;

  private constructor(fs: TestNamespace) {
    this.fs = fs;
    this.ledger = new EngineDataLedger(fs.engine, 0);
    this.slices = new EngineSliceLedger(fs.engine, fs.clock, 0);
    this.#ids = new JobSliceIds(fs.engine, 0);
  }

  static async make(): Promise<TidyWorld> {
    return new TidyWorld(await TestNamespace.on(new MemoryEngine()));
  }

  compaction(ledger = this.ledger): CompactionJob {
    return new CompactionJob({ ledger, blocks: this.blocks, clock: this.fs.clock });
  }

  /** Packs whatever is inline, however new and few. */
  packing(ledger = this.ledger): PackingJob {
    const { blocks, fs } = this;
    return new PackingJob({ ledger, blocks, clock: fs.clock, afterMs: 0, minBytes: 1 });
  }

  /** Deletes without grace what nothing cites. */
  async collect(): Promise<void> {
    const calls = {
      park: () => Promise.resolve(),
      deleteMany: async (_node: MapNode, ids: readonly ShardId[]) => {
        for (const { pool, slice, index } of ids) this.blocks.forget({ pool, slice, index });
      },
    };
    const cluster = { current: () => ONE_NODE, isRegistered: () => true };
    const { slices: ledger, fs } = this;
    await runJob(new GcJob({ ledger, cluster, calls, clock: fs.clock, log: silentLog }));
  }

  async create(): Promise<ModelFile> {
    const name = `f${this.#names++}`;
    const { ino } = await this.fs.file(name);
    const file = { ino, name, bytes: Buffer.alloc(0) };
    this.files.push(file);
    return file;
  }

  /** A write of bytes of its own; longer ones go to the nodes, as a client's do. */
  async write(
    file: ModelFile,
    offset: number,
    lengthBytes: number,
    inline: boolean,
  ): Promise<void> {
    const bytes = Buffer.alloc(lengthBytes);
    for (let at = 0; at < lengthBytes; at += 1) bytes[at] = 1 + ((this.#fill + at * 7) % 255);
    this.#fill += 13;
    const slice = await this.#ids.take();
    const made = { ...this.fs.extent(offset, lengthBytes, inline ? bytes : undefined), slice };
    if (!inline) {
      const count = blockCount(lengthBytes);
      for (let index = 0; index < count; index += 1) {
        const part = bytes.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES);
        await this.blocks.putBlock(
          { pool: made.pool, slice, index, lengthBytes: part.length },
          part,
        );
      }
    }
    await this.fs.commit(file.ino, [made]);
    this.#resize(file, Math.max(file.bytes.length, offset + lengthBytes));
    bytes.copy(file.bytes, offset);
  }

  async truncate(file: ModelFile, sizeBytes: number): Promise<void> {
    await this.fs.do((ns, tx) => ns.setattr(tx, ROOT_CALLER, file.ino, { sizeBytes }, true));
    this.#resize(file, sizeBytes);
  }

  async copy(source: ModelFile, from: number, target: ModelFile, to: number): Promise<void> {
    const lengthBytes = source.bytes.length - from;
    if (source === target || lengthBytes <= 0) return;
    const request = {
      source: source.ino,
      sourceOffset: from,
      target: target.ino,
      targetOffset: to,
    };
    await this.fs.do((ns, tx) =>
      ns.copyRange(tx, { ...request, lengthBytes, killPrivileges: false }),
    );
    this.#resize(target, Math.max(target.bytes.length, to + lengthBytes));
    source.bytes.copy(target.bytes, to, from);
  }

  async unlink(file: ModelFile): Promise<void> {
    this.files.splice(this.files.indexOf(file), 1);
    await this.fs.do((ns, tx) => ns.unlink(tx, ROOT_CALLER, ROOT_INO, file.name as Name));
  }

  async extentsOf({ ino }: ModelFile): Promise<readonly Extent[]> {
    const [chunk] = await this.fs.see((ns, tx) => ns.extents(tx, ino, [0]));
    return chunk?.extents ?? [];
  }

  /** The file as a reader sees it; EIO where a block that is cited has been collected. */
  async read(file: ModelFile): Promise<Buffer> {
    const bytes = Buffer.alloc(file.bytes.length);
    for (const extent of await this.extentsOf(file)) {
      const end = extent.posInChunk + extent.lengthBytes;
      await readPieces(this.blocks, [extent], bytes.subarray(extent.posInChunk, end), signal);
    }
    return bytes;
  }

  /** Slices whose bytes lie in the metadata, and how many bytes these are. */
  inline(): Promise<{ count: number; bytes: number }> {
    return this.fs.see((_ns, tx) => {
      let count = 0;
      let bytes = 0;
      for (const { value } of tx.range(keyRanges.allSlices())) {
        const { inline } = decodeSlice(value);
        if (inline === undefined) continue;
        count += 1;
        bytes += inline.length;
      }
      return { count, bytes };
    });
  }

  /** Every file has the model's bytes, and every slice as many references as citations. */
  async check(t: ExecutionContext): Promise<void> {
    t.deepEqual(await this.fs.broken(), []);
    for (const file of this.files) {
      t.is(Buffer.compare(await this.read(file), file.bytes), 0, `bytes of ${file.name}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fs[Symbol.asyncDispose]();
  }

  #resize(file: ModelFile, sizeBytes: number): void {
    const bytes = Buffer.alloc(sizeBytes);
    file.bytes.copy(bytes);
    file.bytes = bytes;
  }
}
