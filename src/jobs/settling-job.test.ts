import test from "ava";
import { EngineSettlingLedger } from "../app/engine-settling-ledger.ts";
import { FsError } from "../domain/errno.ts";
import { BLOCK_BYTES } from "../domain/format.ts";
import { MemoryEngine } from "../meta/engine/memory-engine.ts";
import { walkMarks } from "../meta/namespace/unsettled-slices.ts";
import { TestNamespace } from "../testing/engine/engine-namespace.ts";
import { MemoryBlockStore } from "../testing/vfs/block-memory.ts";
import { SETTLE_AFTER_MS, SETTLE_FAILURES_PER_PASS } from "./limits.ts";
import { SettlingJob } from "./settling-job.ts";

const { signal } = new AbortController();

async function fresh() {
  const fs = await TestNamespace.on(new MemoryEngine());
  const blocks = new MemoryBlockStore();
  const ledger = new EngineSettlingLedger(fs.engine, fs.clock);
  const job = new SettlingJob({ ledger, blocks, clock: fs.clock });
  const { ino } = await fs.file("f");
  /** Commits so many slices, each with its blocks on the nodes. */
  const write = async (count: number, lengthBytes = 1): Promise<number[]> => {
    const extents = Array.from({ length: count }, (_, index) =>
      fs.extent(index * lengthBytes, lengthBytes),
    );
    for (const { slice, pool } of extents) {
      for (let index = 0; index * BLOCK_BYTES < lengthBytes; index += 1) {
        const length = Math.min(BLOCK_BYTES, lengthBytes - index * BLOCK_BYTES);
        const ref = { pool, slice, index, lengthBytes: length };
        await blocks.putBlock(ref, new Uint8Array(length));
      }
    }
    await fs.commit(ino, extents);
    return extents.map(({ slice }) => slice);
  };
  return { fs, blocks, job, ino, write };
}

async function marks(fs: TestNamespace): Promise<number[]> {
  const { found, stale } = await fs.see((_ns, tx) => walkMarks(tx, undefined, 1000, () => true));
  return [...found, ...stale].map(({ slice }) => slice);
}

test("what is in files is made durable five seconds after its commit, unasked", async (t) => {
  const { fs, blocks, job, write } = await fresh();
  await write(2, BLOCK_BYTES + 1);
  t.is(SETTLE_AFTER_MS, 5000);
  await fs.clock.advance(SETTLE_AFTER_MS - 1);
  await job.pass(signal);
  t.is(blocks.synced.size, 0);
  await fs.clock.advance(1);
  t.is(await job.pass(signal), "done");
  t.is(blocks.synced.size, 4);
  t.deepEqual(await marks(fs), []);
  t.deepEqual(job.counts(), { waiting: 0, done: 2 });
});

test("what can't be made durable keeps nothing else waiting", async (t) => {
  const { fs, blocks, job, write } = await fresh();
  const slices = await write(30);
  const bad = new Set(slices.slice(3, 3 + SETTLE_FAILURES_PER_PASS));
  blocks.onSync = (refs) => {
    if (refs.some(({ slice }) => bad.has(slice))) throw new FsError("EIO", "injected");
  };
  await fs.clock.advance(SETTLE_AFTER_MS);
  await t.throwsAsync(job.pass(signal), { code: "EIO" });
  t.is(blocks.synced.size, 3);
  t.is(await job.pass(signal), "done");
  t.deepEqual(await marks(fs), [...bad]);
  t.is(job.counts().waiting, bad.size);
  blocks.onSync = () => undefined;
  await job.pass(signal);
  t.deepEqual(await marks(fs), []);
});

test("of what was overwritten or deleted only the marks are taken away", async (t) => {
  const { fs, blocks, job, ino, write } = await fresh();
  await write(3);
  await fs.do((ns, tx) => ns.setattr(tx, { uid: 0, gid: 0 }, ino, { sizeBytes: 1 }, false));
  await fs.clock.advance(SETTLE_AFTER_MS);
  await job.pass(signal);
  t.is(blocks.synced.size, 1);
  t.deepEqual(await marks(fs), []);
});
