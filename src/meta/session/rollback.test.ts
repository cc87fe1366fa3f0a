// A power cut of the metadata server, with clients that live on: what they were told is true again
// before anything else is done, or they are told otherwise.
import test, { type ExecutionContext } from "ava";
import { ROOT_CALLER, S_IFREG, type Attr } from "../../domain/attributes.ts";
import { WHOLE_FILE, type LockOwner } from "../../domain/file-lock.ts";
import { DEFAULT_POOL, ROOT_INO, type Ino, type SliceId } from "../../domain/ids.ts";
import { toName } from "../../domain/name.ts";
import {
  RENAME_EXCHANGE,
  type CommitRequest,
  type ExtentCommit,
  type LockRequest,
  type LostChange,
  type MetaService,
  type MetaSession,
} from "../../protocol/meta/meta-service.ts";
import { MAX_KEPT_CHANGES } from "../../protocol/rpc/limits.ts";
import { RollbackWorld } from "../../testing/meta/rollback-world.ts";

const FILE = S_IFREG | 0o644;
const RW = { read: true, write: true, truncate: false };
const root = ROOT_CALLER;
const n = toName;

/** All that a namespace consists of, but for what answers were given. */
function dump({ engine }: RollbackWorld): Map<string, string> {
  return engine.read((tx) => {
    const found = new Map<string, string>();
    for (const { key, value } of tx.range({ start: Buffer.of(1), end: Buffer.of(255) })) {
      if (!"cdeiklorsux".includes(String.fromCharCode(key[0] ?? 0))) continue;
      found.set(Buffer.from(key).toString("latin1"), Buffer.from(value).toString("hex"));
    }
    return found;
  });
}

function lossesOf(session: MetaSession): LostChange[] {
  const losses: LostChange[] = [];
  session.on("rolledBack", (lost) => losses.push(...lost));
  return losses;
}

async function commit(
  session: MetaService,
  ino: Ino,
  bytes: string,
  slice: SliceId,
  more: Partial<CommitRequest> = {},
): Promise<Attr> {
  const inline = Buffer.from(bytes);
  const extent: ExtentCommit = {
    chunk: 0,
    posInChunk: 0,
    lengthBytes: inline.length,
    slice,
    pool: DEFAULT_POOL,
    inline,
  };
  const { attr } = await session.commit({
    ino,
    extents: [extent],
    minSizeBytes: inline.length,
    mtime: { sec: 1, nsec: 2 },
    killPrivileges: false,
    durable: false,
    ...more,
  });
  return attr;
}

/** Cuts the power, starts the server again, and waits until the clients are back. */
async function cutAndReturn(world: RollbackWorld, ...sessions: MetaSession[]): Promise<void> {
  world.cut();
  await world.restart();
  for (const session of sessions) await world.wait(session.getattr(ROOT_INO));
}

test("what two clients did on each other's work is there again after a power cut", async (t) => {
  await using world = await RollbackWorld.start();
  const { session: a } = await world.connect();
  const { session: b } = await world.connect();
  const losses = [lossesOf(a), lossesOf(b)];
  const dir = await world.wait(a.mkdir(root, ROOT_INO, n("dir"), 0o755));
  const { attr } = await world.wait(b.create(root, dir.ino, n("f"), { mode: FILE }, true));
  await world.wait(a.rename(root, dir.ino, n("f"), ROOT_INO, n("g"), 0));
  const { first } = await world.wait(b.allocateSlices());
  const written = await world.wait(commit(b, attr.ino, "bytes", first));
  await world.wait(a.rmdir(root, ROOT_INO, n("dir")));
  const before = dump(world);
  await cutAndReturn(world, a, b);
  t.deepEqual(dump(world), before);
  t.deepEqual(losses, [[], []]);
  const found = await world.wait(b.lookup(root, ROOT_INO, n("g")));
  t.is(found.ino, attr.ino);
  t.is(found.mtimeNsec, written.mtimeNsec);
});

/** Every kind of change once. */
async function changeAll(world: RollbackWorld, session: MetaSession): Promise<void> {
  const done = <T>(promise: Promise<T>): Promise<T> => world.wait(promise);
  const create = async (name: string): Promise<Ino> =>
    (await done(session.create(root, ROOT_INO, n(name), { mode: FILE }, true))).attr.ino;
  const { first } = await done(session.allocateSlices());
  const [file, other, third] = [await create("file"), await create("other"), await create("third")];
  await done(session.create(root, ROOT_INO, n("file"), { mode: FILE }, false));
  const { attr } = await done(session.createUnnamed(root, ROOT_INO, 0o600));
  await done(session.link(root, attr.ino, ROOT_INO, n("named")));
  const dir = await done(session.mkdir(root, ROOT_INO, n("dir"), 0o755));
  await done(session.mkdir(root, dir.ino, n("sub"), 0o755));
  await done(session.mknod(root, dir.ino, n("node"), { mode: FILE }));
  await done(session.symlink(root, dir.ino, n("link"), "target"));
  await done(commit(session, file, "some bytes", first));
  const setattr = { caller: root, changes: { mode: 0o640, uid: 7 }, handleOpen: false };
  await done(commit(session, other, "others", (first + 1) as SliceId, { setattr }));
  const range = { ino: file, offset: 2, lengthBytes: 3, killPrivileges: false };
  await done(session.changeRange({ ...range, clear: true, extend: false }));
  const copy = { source: file, sourceOffset: 0, target: other, targetOffset: 4, lengthBytes: 6 };
  await done(session.copyRange({ ...copy, killPrivileges: false }));
  await done(session.setattr(root, file, { mode: 0o600, sizeBytes: 7 }, false));
  await done(session.setxattr(root, file, "user.a", Buffer.from("1"), 0));
  await done(session.setxattr(root, file, "user.b", Buffer.from("2"), 0));
  await done(session.removexattr(root, file, "user.a"));
  await done(session.rename(root, ROOT_INO, n("third"), dir.ino, n("moved"), 0));
  await done(session.rename(root, dir.ino, n("moved"), dir.ino, n("node"), 0));
  await done(session.rename(root, ROOT_INO, n("file"), dir.ino, n("sub"), RENAME_EXCHANGE));
  await done(session.unlink(root, dir.ino, n("link")));
  await done(session.rmdir(root, ROOT_INO, n("file")));
  await done(session.open(root, other, { ...RW, truncate: true }));
  await done(session.unlink(root, dir.ino, n("node")));
  await done(session.release([other, third]));
}

test("every kind of change is done again as it was done before", async (t) => {
  await using world = await RollbackWorld.start();
  const { session, line } = await world.connect();
  const losses = lossesOf(session);
  await changeAll(world, session);
  const before = dump(world);
  line.up = false;
  world.cut();
  await world.restart();
  t.true(dump(world).size < before.size / 2, "the cut took it");
  line.up = true;
  await world.wait(session.getattr(ROOT_INO));
  t.deepEqual(dump(world), before);
  t.deepEqual(losses, []);
});

test("cuts amid the redo, and connections that break in it, do nothing twice", async (t) => {
  for (let turns = 0; turns < 40; turns += 1) {
    await using world = await RollbackWorld.start();
    const { session, line } = await world.connect();
    const losses = lossesOf(session);
    await changeAll(world, session);
    const before = dump(world);
    world.cut();
    await world.restart();
    for (let i = 0; i < turns; i += 1) await new Promise(setImmediate);
    if (turns % 2 === 0) line.cut();
    else {
      world.cut();
      await world.restart();
    }
    await world.wait(session.getattr(ROOT_INO));
    t.deepEqual(dump(world), before, `after ${turns} turns`);
    t.deepEqual(losses, []);
  }
});

test("a redo whose outcome was never heard is asked for again, and done once", async (t) => {
  await using world = await RollbackWorld.start();
  const { session, line } = await world.connect();
  const losses = lossesOf(session);
  await changeAll(world, session);
  const before = dump(world);
  line.deaf = true;
  world.cut();
  await world.restart();
  await world.wait(world.clock.sleep(200));
  t.deepEqual(dump(world), before, "it was done");
  line.deaf = false;
  line.cut();
  await world.wait(session.getattr(ROOT_INO));
  t.deepEqual(dump(world), before);
  t.deepEqual(losses, []);
});

test("an inode number is never given twice, and comes back with its file", async (t) => {
  await using world = await RollbackWorld.start();
  const { session: a, line } = await world.connect();
  const { session: b } = await world.connect();
  const mine = await world.wait(a.create(root, ROOT_INO, n("mine"), { mode: FILE }, true));
  line.up = false;
  world.cut();
  await world.restart();
  const other = await world.wait(b.create(root, ROOT_INO, n("other"), { mode: FILE }, true));
  t.not(other.attr.ino, mine.attr.ino);
  line.up = true;
  const found = await world.wait(a.lookup(root, ROOT_INO, n("mine")));
  t.is(found.ino, mine.attr.ino);
});

test("who comes too late to do it again is told what is lost", async (t) => {
  await using world = await RollbackWorld.start();
  const { session: a, line } = await world.connect();
  const { session: b } = await world.connect();
  const losses = lossesOf(a);
  const others = lossesOf(b);
  const { attr } = await world.wait(a.create(root, ROOT_INO, n("f"), { mode: FILE }, true));
  await world.wait(a.mkdir(root, ROOT_INO, n("d"), 0o755));
  const { attr: below } = await world.wait(
    b.create(
      root,
      (await world.wait(b.lookup(root, ROOT_INO, n("d")))).ino,
      n("x"),
      { mode: FILE },
      true,
    ),
  );
  line.up = false;
  world.cut();
  await world.restart();
  // Directory d isn't there, and nobody knows of it who could say so.
  await t.throwsAsync(world.wait(b.getattr(below.ino)), { code: "ENOENT" });
  t.deepEqual(
    others.map(({ operation }) => operation),
    ["create"],
  );
  t.true(others[0]?.inos.includes(below.ino));
  const taken = await world.wait(b.create(root, ROOT_INO, n("f"), { mode: FILE }, true));
  line.up = true;
  t.is((await world.wait(a.lookup(root, ROOT_INO, n("f")))).ino, taken.attr.ino);
  t.deepEqual(
    losses.map(({ operation, error }) => [operation, error.code]),
    [["create", "EEXIST"]],
  );
  t.true(losses[0]?.inos.includes(attr.ino));
  t.is((await world.wait(a.lookup(root, ROOT_INO, n("d")))).nlink, 2);
});

test("what can't be done again is told, though its outcome was lost at first", async (t) => {
  await using world = await RollbackWorld.start();
  const { session: a, line } = await world.connect();
  const { session: b } = await world.connect();
  const losses = lossesOf(a);
  const create = (session: MetaSession, name: string): Promise<unknown> =>
    world.wait(session.create(root, ROOT_INO, n(name), { mode: FILE }, true));
  // One after the other: all take the same reply slot.
  for (const name of ["f", "g"]) await create(a, name);
  await world.wait(a.mkdir(root, ROOT_INO, n("d"), 0o755));
  for (const name of ["h", "i"]) await create(a, name);
  line.up = false;
  world.cut();
  await world.restart();
  for (const name of ["f", "g", "h"]) await create(b, name);
  line.deaf = true;
  line.up = true;
  await world.wait(world.clock.sleep(2000));
  t.is((await world.wait(b.lookup(root, ROOT_INO, n("d")))).nlink, 2, "it was done");
  await cutAndReturn(world, b);
  await world.wait(world.clock.sleep(2000));
  line.deaf = false;
  line.cut();
  await world.wait(a.getattr(ROOT_INO));
  t.deepEqual(
    losses.map(({ operation }) => operation),
    ["create", "create", "create"],
  );
  await world.wait(a.lookup(root, ROOT_INO, n("i")));
});

test("a change by name is never done to another inode than it was done to", async (t) => {
  await using world = await RollbackWorld.start();
  const { session: a, line } = await world.connect();
  const { session: b } = await world.connect();
  const old = await world.wait(a.mknod(root, ROOT_INO, n("f"), { mode: FILE }));
  await world.wait(a.mknod(root, ROOT_INO, n("g"), { mode: FILE }));
  await world.wait(a.syncMetadata());
  // g replaces f; then f, which is what g was, is moved away, and another name is removed.
  await world.wait(a.rename(root, ROOT_INO, n("g"), ROOT_INO, n("f"), 0));
  await world.wait(b.rename(root, ROOT_INO, n("f"), ROOT_INO, n("h"), 0));
  const losses = lossesOf(b);
  line.up = false;
  world.cut();
  await world.restart();
  const found = await world.wait(b.lookup(root, ROOT_INO, n("f")));
  t.is(found.ino, old.ino, "the file that a's rename would have replaced stays where it was");
  t.deepEqual(
    losses.map(({ operation }) => operation),
    ["rename"],
  );
  await t.throwsAsync(world.wait(b.lookup(root, ROOT_INO, n("h"))), { code: "ENOENT" });
});

function flock(ino: Ino, type: LockRequest["type"]): LockRequest {
  const owner = "00000000000000aa" as LockOwner;
  return { ino, space: "flock", owner, type, pid: 1, wait: 0, ...WHOLE_FILE };
}

test("an exclusive lock has one holder, whatever is lost and whoever is away", async (t) => {
  await using world = await RollbackWorld.start();
  const { session: a, line } = await world.connect();
  const { session: b } = await world.connect();
  const { ino } = await world.wait(a.mknod(root, ROOT_INO, n("f"), { mode: FILE }));
  await world.wait(a.setlk(flock(ino, "write")));
  line.up = false;
  world.cut();
  await world.restart();
  await world.wait(world.clock.sleep(10_000));
  await t.throwsAsync(world.wait(b.setlk(flock(ino, "write"))), { code: "EAGAIN" });
  line.up = true;
  await world.wait(a.setlk(flock(ino, "unlock")));
  t.true((await world.wait(b.setlk(flock(ino, "write")))).granted);
  await world.wait(b.setlk(flock(ino, "unlock")));
  await cutAndReturn(world, a, b);
  t.true((await world.wait(a.setlk(flock(ino, "write")))).granted, "the unlock was done again");
});

test("a call whose answer was lost is done once, after what was answered", async (t) => {
  await using world = await RollbackWorld.start();
  const { session, line } = await world.connect();
  const dir = await world.wait(session.mkdir(root, ROOT_INO, n("dir"), 0o755));
  const asked = session.mkdir(root, dir.ino, n("sub"), 0o755);
  await Promise.resolve();
  line.cut();
  await cutAndReturn(world, session);
  const sub = await world.wait(asked);
  t.deepEqual(await world.wait(session.lookup(root, dir.ino, n("sub"))), sub);
  await cutAndReturn(world, session);
  t.deepEqual(await world.wait(session.lookup(root, dir.ino, n("sub"))), sub);
});

test("what was synced needs nobody to be done again", async (t) => {
  await using world = await RollbackWorld.start();
  const { session: a, line } = await world.connect();
  const { session: b } = await world.connect();
  const { ino } = await world.wait(a.mkdir(root, ROOT_INO, n("dir"), 0o755));
  await world.wait(a.syncMetadata());
  line.up = false;
  world.cut();
  await world.restart();
  t.is((await world.wait(b.lookup(root, ROOT_INO, n("dir")))).ino, ino);
});

test("what a client keeps is bounded: it has the server flush in time", async (t) => {
  await using world = await RollbackWorld.start();
  const { session } = await world.connect();
  const before = world.engine.durablePosition;
  for (let done = 0; done < MAX_KEPT_CHANGES; done += 128) {
    await world.wait(makeSome(session, done));
  }
  t.true(world.engine.durablePosition - before > MAX_KEPT_CHANGES / 4);
});

async function makeSome(session: MetaSession, from: number): Promise<void> {
  const made = Array.from({ length: 128 }, (_, at) =>
    session.mknod(root, ROOT_INO, n(`f${from + at}`), { mode: FILE }),
  );
  await Promise.all(made);
}

test("after a kill without loss clients believe nothing, and redo nothing", async (t) => {
  await using world = await RollbackWorld.start();
  const { session } = await world.connect();
  let times = 0;
  session.on("rolledBack", () => (times += 1));
  const losses = lossesOf(session);
  await changeAll(world, session);
  const before = dump(world);
  world.kill();
  await world.restart();
  await world.wait(session.getattr(ROOT_INO));
  t.deepEqual([...dump(world).keys()], [...before.keys()]);
  t.is(times, 1);
  t.deepEqual(losses, []);
});

test("nothing is done while clients may still have something to be done again", async (t) => {
  await using world = await RollbackWorld.start();
  const { line } = await world.connect();
  const { session: b } = await world.connect();
  line.up = false;
  world.cut();
  await world.restart();
  const beganMs = world.clock.monotonicMs();
  await world.wait(b.getattr(ROOT_INO));
  within(t, world.clock.monotonicMs() - beganMs, 4000, 6000);
});

function within(t: ExecutionContext, value: number, from: number, to: number): void {
  t.true(value >= from && value <= to, `${value} is not in ${from}…${to}`);
}
