import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { DirectoryCopyFiles, EngineCopyLedger } from "../../app/engine-copy-ledger.ts";
import { FsError } from "../../domain/errno.ts";
import { BLOCK_BYTES, COPY_POOL } from "../../domain/format.ts";
import { copiesCiteBelow, copySlice, storedCopies } from "../../meta/copies/copy-records.ts";
import { fatesOfSlices } from "../../meta/session/slice-fates.ts";
import { findStripedSlices } from "../../meta/namespace/rewriting.ts";
import type { SliceId } from "../../domain/ids.ts";
import { readCopy } from "../../meta/copies/copy-reader.ts";
import { putCopied } from "../../meta/copies/load-copy.ts";
import { MemoryEngine } from "../../meta/engine/memory-engine.ts";
import { takenBelow, takeNumbers } from "../../meta/schema/counters.ts";
import { keyRanges, keys } from "../../meta/schema/keys.ts";
import { SLICE_RANGE_SIZE } from "../../protocol/meta/limits.ts";
import { silentLog } from "../../observability/log.ts";
import { systemDisk } from "../../platform/disk/system-disk.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { present } from "../../testing/present.ts";
import { blockName, MemoryBlockStore } from "../../testing/vfs/block-memory.ts";
import { NODE_COPIES_KEPT } from "../limits.ts";
import { BackupJob, type BackupOptions } from "./backup-job.ts";

const HOUR_MS = 3_600_000;
const SIGNAL = new AbortController().signal;

class World {
  readonly clock = new FakeClock();
  readonly engine = new MemoryEngine();
  readonly blocks = new MemoryBlockStore();
  readonly directory: string;
  hasNodes = true;

  constructor(directory: string) {
    this.directory = directory;
  }

  static async make(t: ExecutionContext): Promise<World> {
    const base = await mkdtemp(join(tmpdir(), "dfs-backup-"));
    t.teardown(() => rm(base, { recursive: true, force: true }));
    return new World(join(base, "copies"));
  }

  job(options: Partial<BackupOptions> = {}): BackupJob {
    const { clock, engine, blocks } = this;
    return new BackupJob({
      ledger: new EngineCopyLedger(engine, "cluster", clock),
      files: new DirectoryCopyFiles(systemDisk, this.directory),
      blocks,
      hasNodes: () => this.hasNodes,
      clock,
      log: silentLog,
      everyMs: HOUR_MS,
      keep: 3,
      ...options,
    });
  }

  files(): Promise<string[]> {
    return readdir(this.directory).then((names) => names.sort());
  }

  copies(): ReturnType<typeof storedCopies> {
    return this.engine.read(storedCopies);
  }

  /** The bytes that the blocks of a copy have, in order. */
  async *pieces(number: number): AsyncGenerator<Uint8Array> {
    for (let index = 0; ; index += 1) {
      const name = blockName({
        pool: COPY_POOL,
        slice: copySlice(number, Math.floor(index / 16)),
        index: index % 16,
      });
      const block = this.blocks.blocks.get(name);
      if (block === undefined) return;
      yield await Promise.resolve(block);
    }
  }

  async fill(bytes: number): Promise<void> {
    const value = Buffer.alloc(60_000, 7);
    for (let at = 0; at * value.length < bytes; at += 1) {
      await this.engine.transact((tx) => tx.put(keys.user(`user-${at}`), value));
    }
  }
}

test("the first copy is made soon after the start, the next ones on schedule", async (t) => {
  const w = await World.make(t);
  const job = w.job();
  const first = await job.pass(SIGNAL);
  t.deepEqual(first, { idleForMs: 600_000 });
  await w.clock.advance(600_000);
  t.is(await job.pass(SIGNAL), "done");
  t.is((await w.files()).length, 1);
  t.deepEqual(job.state(), { fileMs: w.clock.nowMs(), nodesMs: w.clock.nowMs() });
  t.deepEqual(await job.pass(SIGNAL), { idleForMs: HOUR_MS });
  await w.clock.advance(HOUR_MS / 2);
  // A restart doesn't begin the hour anew.
  t.deepEqual(await w.job().pass(SIGNAL), { idleForMs: HOUR_MS / 2 });
});

test("so many copies are kept as were asked for, and two on the nodes", async (t) => {
  const w = await World.make(t);
  const job = w.job();
  for (let hour = 0; hour < 6; hour += 1) {
    await w.clock.advance(HOUR_MS);
    t.is(await job.pass(SIGNAL), "done");
  }
  t.is((await w.files()).length, 3);
  const copies = w.copies();
  t.deepEqual(
    copies.map(({ number }) => number),
    [5, 6],
  );
  t.is(copies.length, NODE_COPIES_KEPT);
  // The others' slices wait for gc, which alone deletes.
  const dead = w.engine.read((tx) => [...tx.range(keyRanges.tombstones())].length);
  t.is(dead, 4);
});

test("a copy on the nodes is the metadata, on their disks before it counts", async (t) => {
  const w = await World.make(t);
  await w.fill(3 * BLOCK_BYTES);
  w.blocks.onSync = () => {
    t.true(w.copies().every(({ sizeBytes }) => sizeBytes === undefined));
  };
  const job = w.job();
  await w.clock.advance(HOUR_MS);
  await job.pass(SIGNAL);
  const [copy] = w.copies();
  const { number, sizeBytes, parts } = present(copy);
  t.is(parts, 1);
  t.is(w.blocks.synced.size, Math.ceil(present(sizeBytes) / BLOCK_BYTES));
  const restored = new MemoryEngine();
  const facts = await readCopy(w.pieces(number), (changes) => putCopied(restored, changes));
  t.is(facts.sizeBytes, present(sizeBytes));
  t.is(
    restored.read((tx) => [...tx.range(keyRanges.users())].length),
    210,
  );
});

test("the metadata says of a copy's slices what the nodes have: no more, no less", async (t) => {
  const w = await World.make(t);
  await w.fill(2 * BLOCK_BYTES);
  const job = w.job();
  await w.clock.advance(HOUR_MS);
  const slice = copySlice(1, 0);
  w.blocks.onPut = () => {
    // It isn't missed before it is there, nor taken for garbage.
    t.deepEqual(w.engine.read((tx) => findStripedSlices(tx, 0 as SliceId, 10)).found, []);
    t.deepEqual(
      w.engine.read((tx) => fatesOfSlices(tx, [slice], 0)),
      ["pending"],
    );
  };
  await job.pass(SIGNAL);
  const storedBytes = present(present(w.copies()[0]).sizeBytes);
  const { found } = w.engine.read((tx) => findStripedSlices(tx, 0 as SliceId, 10));
  t.deepEqual(found, [{ slice, pool: COPY_POOL, storedBytes }]);
});

test("a copy that the nodes don't take whole goes to gc, and the one before stays", async (t) => {
  const w = await World.make(t);
  await w.fill(2 * BLOCK_BYTES);
  const job = w.job();
  await w.clock.advance(HOUR_MS);
  await job.pass(SIGNAL);
  await w.clock.advance(HOUR_MS);
  let puts = 0;
  w.blocks.onPut = () => {
    puts += 1;
    if (puts === 2) throw new FsError("EIO", "too few nodes");
  };
  await t.throwsAsync(job.pass(SIGNAL), { message: "too few nodes" });
  t.deepEqual(
    w.copies().map(({ number }) => number),
    [1],
  );
  t.not(
    w.engine.read((tx) => tx.get(keys.tombstone(copySlice(2, 0)))),
    undefined,
  );
  t.is((await w.files()).length, 2);
  // Only the nodes are without, and have it at the next try: of the file.
  w.blocks.onPut = () => undefined;
  await w.clock.advance(1000);
  t.is(await job.pass(SIGNAL), "done");
  t.is((await w.files()).length, 2);
  const [, again] = w.copies();
  t.is(present(again).madeMs, w.clock.nowMs() - 1000);
  await readCopy(w.pieces(present(again).number));
  t.deepEqual(await job.pass(SIGNAL), { idleForMs: HOUR_MS - 1000 });
});

test("what a killed server had begun is dropped, by its record", async (t) => {
  const w = await World.make(t);
  const ledger = new EngineCopyLedger(w.engine, "cluster", w.clock);
  await ledger.addPart(await ledger.begin(5));
  await systemDisk.makeDirectory(w.directory);
  await writeFile(join(w.directory, "metadata-000000000000005.dfscopy.partial"), "half");
  const job = w.job();
  await w.clock.advance(HOUR_MS);
  await job.pass(SIGNAL);
  t.deepEqual(
    w.copies().map(({ number }) => number),
    [2],
  );
  t.not(
    w.engine.read((tx) => tx.get(keys.tombstone(copySlice(1, 0)))),
    undefined,
  );
  t.is((await w.files()).length, 1);
});

test("a disk without room beside the metadata doesn't keep a copy from the nodes", async (t) => {
  const w = await World.make(t);
  const full = new DirectoryCopyFiles(systemDisk, w.directory);
  const room = new DirectoryCopyFiles(systemDisk, w.directory);
  full.write = () => Promise.reject(new FsError("ENOSPC", "no space left"));
  const job = w.job({ files: full });
  await w.clock.advance(HOUR_MS);
  await t.throwsAsync(job.pass(SIGNAL), { code: "ENOSPC" });
  const [copy] = w.copies();
  await readCopy(w.pieces(present(copy).number));
  // Which doesn't put another one there at each try.
  await t.throwsAsync(job.pass(SIGNAL), { code: "ENOSPC" });
  t.deepEqual(
    w.copies().map(({ number }) => number),
    [1],
  );
  full.write = (madeMs, pieces) => room.write(madeMs, pieces);
  t.is(await job.pass(SIGNAL), "done");
  t.is((await w.files()).length, 1);
  t.is(w.copies().length, 1);
});

test("what was given before a file ended it may cite, whatever the nodes have", async (t) => {
  const w = await World.make(t);
  const full = new DirectoryCopyFiles(systemDisk, w.directory);
  const room = new DirectoryCopyFiles(systemDisk, w.directory);
  full.write = () => Promise.reject(new FsError("ENOSPC", "no space left"));
  const job = w.job({ files: full });
  await w.clock.advance(HOUR_MS);
  await t.throwsAsync(job.pass(SIGNAL), { code: "ENOSPC" });
  await w.engine.transact((tx) => takeNumbers(tx, "slice", SLICE_RANGE_SIZE));
  const given = w.engine.read((tx) => takenBelow(tx, "slice"));
  full.write = async (madeMs, pieces) => {
    const written = await room.write(madeMs, pieces);
    // Before the next step: the server may be killed.
    t.is(given, w.engine.read(copiesCiteBelow));
    return written;
  };
  t.is(await job.pass(SIGNAL), "done");
  t.is(w.copies().length, 1);
  t.is((await w.files()).length, 1);
});

test("a file that was spoilt since doesn't become a copy on the nodes", async (t) => {
  const w = await World.make(t);
  w.hasNodes = false;
  const job = w.job();
  await w.clock.advance(HOUR_MS);
  await job.pass(SIGNAL);
  const path = join(w.directory, present((await w.files())[0]));
  const bytes = await readFile(path);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  await writeFile(path, bytes);
  w.hasNodes = true;
  await t.throwsAsync(job.pass(SIGNAL), { code: "EBADMSG" });
  t.deepEqual(w.copies(), []);
});

test("a wall clock that was set back neither stops copies nor has the newest go", async (t) => {
  const w = await World.make(t);
  const job = w.job({ keep: 1 });
  await w.clock.advance(HOUR_MS);
  await job.pass(SIGNAL);
  const madeMs = w.clock.nowMs();
  w.clock.step(-40 * 24 * HOUR_MS);
  t.deepEqual(await job.pass(SIGNAL), { idleForMs: HOUR_MS });
  await w.clock.advance(HOUR_MS);
  t.is(await job.pass(SIGNAL), "done");
  t.deepEqual(job.state(), { fileMs: madeMs + 1, nodesMs: madeMs + 1 });
  t.deepEqual(await w.files(), [`metadata-00${madeMs + 1}.dfscopy`]);
  // Nor does a start at such a time wait for longer than the first one.
  t.deepEqual(await w.job().pass(SIGNAL), { idleForMs: 600_000 });
});

test("a copy that is asked for is made at once, and who asked hears of it", async (t) => {
  const w = await World.make(t);
  w.hasNodes = false;
  const job = w.job({ everyMs: 0 });
  t.like(await job.pass(SIGNAL), { idleForMs: 86_400_000 });
  const asked = job.request();
  await job.pass(SIGNAL);
  t.deepEqual(await asked, { fileMs: w.clock.nowMs() });
  const [name] = await w.files();
  t.is((await stat(join(w.directory, present(name)))).mode & 0o777, 0o600);
  const broken = w.job({ files: { ...fileless, list: () => Promise.resolve([]) } });
  const refused = broken.request();
  await t.throwsAsync(broken.pass(SIGNAL), { code: "EIO" });
  await t.throwsAsync(refused, { code: "EIO" });
});

test("who asks for a copy hears of whatever keeps it from being made", async (t) => {
  const w = await World.make(t);
  const list = (): Promise<never> => Promise.reject(new FsError("EIO", "the disk is broken"));
  const broken = w.job({ files: { ...fileless, list } });
  const refused = broken.request();
  await t.throwsAsync(broken.pass(SIGNAL), { code: "EIO" });
  await t.throwsAsync(refused, { code: "EIO" });
  const waiting = broken.request();
  broken.close();
  await t.throwsAsync(waiting, { code: "EAGAIN", message: /stopping/ });
  await t.throwsAsync(broken.request(), { code: "EAGAIN" });
});

test("who asked for a copy during which the server stops hears that it is stopping", async (t) => {
  const w = await World.make(t);
  const stop = new AbortController();
  const files = new DirectoryCopyFiles(systemDisk, w.directory);
  const room = new DirectoryCopyFiles(systemDisk, w.directory);
  files.write = (madeMs, pieces) => {
    stop.abort(new Error("the job ends"));
    return room.write(madeMs, pieces);
  };
  const job = w.job({ files });
  const asked = job.request();
  await t.throwsAsync(job.pass(stop.signal), { message: "the job ends" });
  await t.throwsAsync(asked, { code: "EAGAIN", message: /stopping; ask again later/ });
});

const fileless = {
  write: () => Promise.reject(new FsError("EIO", "the disk is broken")),
  read: () => {
    throw new FsError("EIO", "the disk is broken");
  },
  remove: () => Promise.resolve(),
};
