import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { ROOT_CALLER } from "../domain/attributes.ts";
import { MAX_INLINE_BYTES } from "../domain/format.ts";
import { DEFAULT_POOL, ROOT_INO, type Ino, type Name, type SliceId } from "../domain/ids.ts";
import { MAX_XATTR_VALUE_BYTES } from "../domain/limits.ts";
import type { Engine, Transaction } from "../meta/engine/engine.ts";
import { MemoryEngine } from "../meta/engine/memory-engine.ts";
import { applyRepair } from "../meta/fsck/finding.ts";
import { encodeInode, decodeInode } from "../meta/schema/inode.ts";
import { keys } from "../meta/schema/keys.ts";
import { encodeSlice } from "../meta/schema/slice.ts";
import { encodeDeath, encodeTombstone } from "../meta/schema/tombstone.ts";
import { TestNamespace } from "../testing/engine/engine-namespace.ts";
import { present } from "../testing/present.ts";
import { TestMetaServer } from "../testing/meta/meta-server.ts";
import {
  checkMetadata,
  checkRounds,
  openCopied,
  openStopped,
  type CheckedMetadata,
} from "./check-cluster.ts";
import { ScratchDirectory } from "./survey-blocks.ts";

const n = (name: string): Name => name as Name;
const quiet = (): void => undefined;

async function makeFile(server: TestMetaServer): Promise<Ino> {
  const session = await server.connect();
  const directory = await session.mkdir(ROOT_CALLER, ROOT_INO, n("dir"), 0o755);
  const { ino } = await session.mknod(ROOT_CALLER, directory.ino, n("file"), { mode: 0o644 });
  return ino;
}

/** Spoils the file's record as a bug would: its link count. */
async function spoil(metadata: CheckedMetadata, ino: Ino): Promise<void> {
  const key = keys.inode(ino);
  const expected = present(await metadata.engine.read((tx) => tx.get(key)));
  const value = encodeInode({ ...decodeInode(expected), nlink: 7 });
  const [done] = await metadata.repair([{ how: "spoilt", edits: [{ key, expected, value }] }]);
  if (done !== true) throw new Error("could not be spoilt");
}

async function tempDir(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dfs-check-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

test("a running server's metadata is checked on a copy, and repaired where it is", async (t) => {
  await using server = await TestMetaServer.start();
  await using scratch = await ScratchDirectory.make(await tempDir(t));
  const ino = await makeFile(server);
  {
    await using sound = await openCopied(server.admin, scratch, 1);
    t.like(await checkMetadata(sound, true, quiet), { count: 0, repaired: 0 });
    await spoil(sound, ino);
  }
  {
    await using copied = await openCopied(server.admin, scratch, 2);
    const seen = await checkMetadata(copied, false, quiet);
    t.like(seen, { count: 1, repaired: 0 });
    t.like(seen.findings[0], { check: "links", path: "/dir/file", how: "it is set to 1" });
    t.like(await checkMetadata(copied, true, quiet), { count: 1, repaired: 1 });
    // The copy is of before: what it would still repair is no longer as it was.
    t.like(await checkMetadata(copied, true, quiet), { count: 1, repaired: 0 });
  }
  await using repaired = await openCopied(server.admin, scratch, 3);
  t.like(await checkMetadata(repaired, false, quiet), { count: 0 });
});

test("a stopped server's metadata is checked and repaired in its directory", async (t) => {
  const dataDir = await tempDir(t);
  let ino: Ino;
  {
    await using server = await TestMetaServer.start({ engine: "lmdb", dataDir });
    ino = await makeFile(server);
  }
  {
    await using stopped = await openStopped(dataDir);
    await spoil(stopped, ino);
    t.like(await checkMetadata(stopped, true, quiet), { repaired: 1 });
    t.like(await checkMetadata(stopped, true, quiet), { count: 0 });
  }
  await t.throwsAsync(openStopped(join(dataDir, "nowhere")), {
    code: "ENOENT",
    message: /is no metadata server's data directory/,
  });
});

test("a running server takes the largest repairs that there are", async (t) => {
  await using server = await TestMetaServer.start();
  await using scratch = await ScratchDirectory.make(await tempDir(t));
  const slices = Array.from({ length: 20 }, (_, at) => keys.slice((1000 + at) as SliceId));
  const inline = Buffer.alloc(MAX_INLINE_BYTES, 1);
  const slice = { references: 1, pool: DEFAULT_POOL, storedBytes: inline.length, inline };
  const xattrs = Array.from({ length: 20 }, (_, at) => keys.xattr(999 as Ino, n(`user.${at}`)));
  const put = [
    ...slices.map((key) => ({ key, expected: null, value: encodeSlice(slice) })),
    ...xattrs.map((key) => ({ key, expected: null, value: Buffer.alloc(MAX_XATTR_VALUE_BYTES) })),
  ];
  {
    await using sound = await openCopied(server.admin, scratch, 1);
    for (const edit of put) await sound.repair([{ how: "spoilt", edits: [edit] }]);
  }
  {
    await using copied = await openCopied(server.admin, scratch, 2);
    t.like(await checkMetadata(copied, true, quiet), { count: 40, repaired: 40 });
  }
  await using repaired = await openCopied(server.admin, scratch, 3);
  t.like(await checkMetadata(repaired, false, quiet), { count: 0 });
});

test("a copy of the metadata is gone from the scratch directory with its round", async (t) => {
  await using server = await TestMetaServer.start();
  await using scratch = await ScratchDirectory.make(await tempDir(t));
  {
    await using copied = await openCopied(server.admin, scratch, 1);
    t.like(await checkMetadata(copied, false, quiet), { count: 0 });
    t.deepEqual(await readdir(scratch.path), ["metadata-1"]);
  }
  t.deepEqual(await readdir(scratch.path), []);
});

type RepairFn = CheckedMetadata["repair"];

/** A store that isn't a server's; `repair` as of the store unless given. */
async function withStore(
  spoilIt: (tx: Transaction) => void,
  repair?: (engine: Engine) => RepairFn,
): Promise<CheckedMetadata> {
  const { engine } = await TestNamespace.on(new MemoryEngine());
  await engine.transact(spoilIt);
  const repairHere: RepairFn = (repairs) =>
    engine.transact((tx) => repairs.map((one) => applyRepair(tx, one)));
  return {
    engine,
    repair: repair?.(engine) ?? repairHere,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Deaths of slices that never were. */
function putDeaths(tx: Transaction, count: number): void {
  for (let death = 1; death <= count; death += 1) {
    tx.put(keys.death(death), encodeDeath(death as SliceId));
  }
}

async function countsOf(metadata: CheckedMetadata): Promise<number[]> {
  const counts: number[] = [];
  const onRound = ({ count }: { count: number }): void => void counts.push(count);
  await checkRounds(() => Promise.resolve(metadata), true, { onCheck: quiet, onRound });
  return counts;
}

test("repairs go on for as long as they leave less to repair", async (t) => {
  const few = await withStore(
    (tx) => putDeaths(tx, 35),
    (engine) => (repairs) =>
      engine.transact((tx) => repairs.map((one, at) => at < 10 && applyRepair(tx, one))),
  );
  t.deepEqual(await countsOf(few), [35, 25, 15, 5, 0]);
  const vain = await withStore(
    (tx) => putDeaths(tx, 1),
    () => (repairs) => Promise.resolve(repairs.map(() => true)),
  );
  t.deepEqual(
    await countsOf(vain),
    Array.from({ length: 9 }, () => 1),
  );
});

test("a round repairs more than it tells", async (t) => {
  const metadata = await withStore((tx) => putDeaths(tx, 9500));
  const { findings, ...sums } = await checkMetadata(metadata, true, quiet);
  t.deepEqual(sums, { count: 9500, repaired: 9500 });
  t.is(findings.length, 1000);
  t.true(findings.every(({ repaired }) => repaired));
});

test("what can't be repaired keeps nothing behind it from being so", async (t) => {
  const metadata = await withStore((tx) => {
    putDeaths(tx, 2);
    // Their death is another's.
    const tombstone = encodeTombstone({ death: 1, pool: DEFAULT_POOL, storedBytes: 1 });
    for (let slice = 11; slice <= 1010; slice += 1) {
      tx.put(keys.tombstone(slice as SliceId), tombstone);
    }
  });
  t.like(await checkMetadata(metadata, true, quiet), { count: 1002, repaired: 2 });
});

test("the bytes of repairs that are kept at a time are bounded", async (t) => {
  const value = Buffer.alloc(MAX_XATTR_VALUE_BYTES);
  const most = 256 * 1024 * 1024;
  const metadata = await withStore((tx) => {
    for (let at = 0; at * value.length < 2 * most; at += 1) {
      tx.put(keys.xattr((100 + at) as Ino, n("user.a")), value);
    }
  });
  const { count, repaired } = await checkMetadata(metadata, true, quiet);
  t.is(count, (2 * most) / value.length);
  t.true(repaired > 4000 && repaired <= most / value.length, `${repaired}`);
});
