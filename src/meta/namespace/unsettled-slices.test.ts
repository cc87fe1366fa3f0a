import test from "ava";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { ROOT_INO, type Ino, type Name, type SessionId, type SliceId } from "../../domain/ids.ts";
import { MAX_UNSETTLED_PAGE } from "../../protocol/meta/limits.ts";
import {
  RENAME_EXCHANGE,
  type ExtentCommit,
  type SlicePlace,
} from "../../protocol/meta/meta-service.ts";
import { OTHER_SESSION, SESSION, TestNamespace } from "../../testing/engine/engine-namespace.ts";
import { MemoryEngine } from "../engine/memory-engine.ts";
import { keys } from "../schema/keys.ts";
import { commitExtents } from "./data.ts";
import { loadInode } from "./inodes.ts";
import { dropMarks, unsettledOf, unsettledOfSession, walkMarks } from "./unsettled-slices.ts";

const n = (name: string): Name => name as Name;
const FIRST = 0 as SliceId;

async function fresh(): Promise<[TestNamespace, Ino, Ino]> {
  const fs = await TestNamespace.on(new MemoryEngine());
  return [fs, (await fs.file("f")).ino, (await fs.file("g")).ino];
}

function commitDurably(fs: TestNamespace, ino: Ino, extents: ExtentCommit[]): Promise<unknown> {
  const rest = { minSizeBytes: 0, mtime: { sec: 1, nsec: 0 }, killPrivileges: false };
  const request = { ino, extents, ...rest, durable: true };
  return fs.do((_ns, tx) => commitExtents(tx, request, { session: SESSION, now: fs.clock.now() }));
}

async function unsettled(fs: TestNamespace, ino: Ino): Promise<number[]> {
  const { slices } = await fs.see((_ns, tx) => unsettledOf(tx, loadInode(tx, ino), FIRST));
  return slices.map(({ slice }) => slice);
}

function settle(fs: TestNamespace, ...places: [Ino, number][]): Promise<void> {
  const slices = places.map(([ino, slice]) => ({ ino, slice: slice as SliceId }));
  return fs.do((ns, tx) => ns.settle(tx, slices));
}

test("what a commit brings is unsettled, unless inline, or on disk by then", async (t) => {
  const [fs, ino] = await fresh();
  await fs.commit(ino, [fs.extent(0, 100), fs.extent(200, 5, Buffer.alloc(5))]);
  await commitDurably(fs, ino, [fs.extent(300, 100)]);
  const { slices } = await fs.see((_ns, tx) => unsettledOf(tx, loadInode(tx, ino), FIRST));
  t.deepEqual(slices, [{ ino, slice: 1 as SliceId, pool: slices[0]?.pool, storedBytes: 100 }]);
  await settle(fs, [ino, 1]);
  t.deepEqual(await unsettled(fs, ino), []);
  t.deepEqual(await fs.broken(), []);
});

test("a copy of what is unsettled is unsettled, until either file is synced", async (t) => {
  const [fs, f, g] = await fresh();
  await fs.commit(f, [fs.extent(0, 100)]);
  await commitDurably(fs, f, [fs.extent(100, 100)]);
  const request = { source: f, sourceOffset: 0, target: g, targetOffset: 0, lengthBytes: 200 };
  await fs.do((ns, tx) => ns.copyRange(tx, { ...request, killPrivileges: false }));
  t.deepEqual(await unsettled(fs, g), [1]);
  t.deepEqual(await fs.broken(), []);
  await settle(fs, [f, 1]);
  t.deepEqual(await unsettled(fs, g), []);
  t.true(await fs.see((_ns, tx) => loadInode(tx, g).marked), "its mark says nothing any more");
  const { stale } = await fs.see((_ns, tx) => walkMarks(tx, undefined, 10, () => true));
  await fs.do((_ns, tx) => dropMarks(tx, stale));
  t.false(await fs.see((_ns, tx) => loadInode(tx, g).marked));
  t.deepEqual(await fs.broken(), []);
});

test("what nobody cites any more needs not be synced", async (t) => {
  const [fs, f, g] = await fresh();
  await fs.commit(f, [fs.extent(0, 100), fs.extent(0, 100)]);
  await fs.commit(g, [fs.extent(0, 100)]);
  t.deepEqual(await unsettled(fs, f), [2]);
  await fs.do((ns, tx) => ns.unlink(tx, ROOT_CALLER, ROOT_INO, n("g")));
  const { found } = await fs.see((_ns, tx) => walkMarks(tx, undefined, 10, () => true));
  t.deepEqual(
    found.map(({ slice }) => slice),
    [2],
  );
});

test("a session is told of what it brought", async (t) => {
  const [fs, f, g] = await fresh();
  const other = OTHER_SESSION;
  await fs.commit(f, [fs.extent(0, 100)]);
  const request = { extents: [fs.extent(0, 100)], minSizeBytes: 0, mtime: { sec: 1, nsec: 0 } };
  const rest = { ino: g, killPrivileges: false, durable: false };
  await fs.do((_ns, tx) =>
    commitExtents(tx, { ...request, ...rest }, { session: other, now: fs.clock.now() }),
  );
  const seenBy = async (session: SessionId): Promise<number[]> => {
    const page = await fs.see((_ns, tx) => unsettledOfSession(tx, session, undefined));
    return page.slices.map(({ slice }) => slice);
  };
  t.deepEqual(await seenBy(other), [2]);
  t.deepEqual(await seenBy(SESSION), [1]);
});

test("many are told in pages", async (t) => {
  const [fs, ino, other] = await fresh();
  const count = MAX_UNSETTLED_PAGE + 10;
  const extents = Array.from({ length: count }, (_, index) => fs.extent(index * 10, 10));
  await fs.commit(ino, extents);
  await fs.commit(other, [fs.extent(0, 10)]);
  const first = await fs.see((_ns, tx) => unsettledOf(tx, loadInode(tx, ino), FIRST));
  t.is(first.slices.length, MAX_UNSETTLED_PAGE);
  const after = first.next as SlicePlace; // the next assertion fails without
  const second = await fs.see((_ns, tx) => unsettledOf(tx, loadInode(tx, ino), after.slice));
  t.is(second.slices.length, 10);
  t.is(second.next, undefined);
});

test("a file takes another's name only once its own bytes are settled", async (t) => {
  const [fs, f, g] = await fresh();
  await fs.commit(f, [fs.extent(0, 100)]);
  await fs.commit(g, [fs.extent(0, 100)]);
  const rename = (flags: number, synced?: Ino) =>
    fs.do((ns, tx) =>
      ns.rename(tx, ROOT_CALLER, ROOT_INO, n("f"), ROOT_INO, n("g"), flags, synced),
    );
  t.deepEqual(await rename(0), { unsettled: f });
  t.deepEqual(await rename(0, g), { unsettled: f }, "another was made durable meanwhile");
  t.is((await fs.see((ns, tx) => ns.lookup(tx, ROOT_CALLER, ROOT_INO, n("g")))).ino, g);
  t.deepEqual(await rename(RENAME_EXCHANGE), {}, "both keep a name");
  t.deepEqual(await rename(RENAME_EXCHANGE), {});
  t.deepEqual(await rename(0, f), {});
  t.is((await fs.see((ns, tx) => ns.lookup(tx, ROOT_CALLER, ROOT_INO, n("g")))).ino, f);
  t.deepEqual(await fs.broken(), []);
});

test("a slice record of a release that told nothing of disks is refused", async (t) => {
  const [fs, ino] = await fresh();
  await fs.commit(ino, [fs.extent(0, 100)]);
  await fs.do((_ns, tx) => {
    const record = Buffer.from(tx.get(keys.slice(1 as SliceId)) ?? []);
    record[0] = 1;
    tx.put(keys.slice(1 as SliceId), record);
  });
  await t.throwsAsync(unsettled(fs, ino), { code: "EIO", message: /version 1/ });
});
