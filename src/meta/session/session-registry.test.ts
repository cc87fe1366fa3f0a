import test from "ava";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { ROOT_INO, type Ino, type PoolId, type SliceId } from "../../domain/ids.ts";
import { SLICE_RANGE_SIZE } from "../../protocol/meta/limits.ts";
import { toName } from "../../domain/name.ts";
import { EngineMachine } from "../../testing/engine/engine-machine.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { invoke } from "../../testing/meta/invoke.ts";
import { openLocalMeta, serviceOf, type LocalMeta } from "../../testing/meta/meta-server.ts";
import { MemoryEngine } from "../engine/memory-engine.ts";
import { keyRanges, keys } from "../schema/keys.ts";
import { putSession } from "../schema/session-records.ts";
import { isEnded } from "../schema/slice-ranges.ts";
import { present } from "../../testing/present.ts";

const FILE = toName("file");

/** A file that has no name any more and lives because the session holds it open. */
async function holdOrphan(meta: LocalMeta): Promise<{ ino: Ino; id: number }> {
  const service = await meta.newSession();
  const { attr } = await service.create(ROOT_CALLER, ROOT_INO, FILE, { mode: 0o100644 }, true);
  await service.unlink(ROOT_CALLER, ROOT_INO, FILE);
  return { ino: attr.ino, id: service.session.id };
}

async function inodes(meta: LocalMeta): Promise<number> {
  return (await (await meta.newSession()).statfs()).inodes;
}

test("a session that stays silent is ended and what only it held is deleted", async (t) => {
  const clock = new FakeClock();
  const meta = await openLocalMeta({ clock, sessionDeadAfterMs: 60_000 });
  await holdOrphan(meta);
  meta.sessions.start();
  await clock.advance(59_000);
  t.is(await inodes(meta), 2, "not before its time");
  await clock.advance(2000);
  t.is(await inodes(meta), 1);
  await meta.sessions.close();
});

test("a connected session lives, and its time begins when the connection ends", async (t) => {
  const clock = new FakeClock();
  const meta = await openLocalMeta({ clock, sessionDeadAfterMs: 60_000 });
  const { session } = await meta.newSession();
  const connection = { displaced: () => undefined, push: () => undefined };
  meta.sessions.attach(session, connection);
  meta.sessions.start();
  await clock.advance(600_000);
  t.is(meta.sessions.list().length, 1);
  meta.sessions.detach(session, connection);
  await clock.advance(59_000);
  t.is(meta.sessions.list().length, 1);
  await clock.advance(2000);
  t.is(meta.sessions.list().length, 0);
  await meta.sessions.close();
});

test("sessions outlive a restart of the server, with their time begun anew", async (t) => {
  const engine = new MemoryEngine();
  const clock = new FakeClock();
  const before = await openLocalMeta({ engine, clock });
  const { ino } = await holdOrphan(before);
  const { session, key } = await before.sessions.begin("anna", "mount");
  await clock.advance(3_600_000);
  const after = await openLocalMeta({ engine, clock });
  after.sessions.start();
  await clock.advance(30_000);
  t.is(present(after.sessions.resume("anna", key)).id, session.id);
  t.is((await serviceOf(session).getattr(ino)).nlink, 0, "the orphan is still held");
  await after.sessions.close();
});

test("a session that was being ended when the server stopped is ended, not resumed", async (t) => {
  const engine = new MemoryEngine();
  const clock = new FakeClock();
  const before = await openLocalMeta({ engine, clock });
  await holdOrphan(before);
  const { session, key } = await before.sessions.begin("anna", "mount");
  await engine.transact((tx) => putSession(tx, session.id, { ...session.record, ending: true }));
  const after = await openLocalMeta({ engine, clock });
  t.is(after.sessions.resume("anna", key), undefined);
  after.sessions.start();
  await clock.advance(1000);
  t.is(
    engine.read((tx) => tx.get(keys.session(session.id))),
    undefined,
  );
  await after.sessions.close();
});

test("only the secret and the user of a session open it again", async (t) => {
  const meta = await openLocalMeta();
  const { session, key } = await meta.sessions.begin("anna", "mount");
  t.is(meta.sessions.resume("bert", key), undefined);
  t.is(meta.sessions.resume("anna", { ...key, secret: new Uint8Array(16) }), undefined);
  t.is(meta.sessions.resume("anna", key), session);
});

test("ending a session removes its record and replies, and its slice ids have ended", async (t) => {
  const meta = await openLocalMeta();
  const service = await meta.newSession();
  const { first } = await service.allocateSlices();
  const { id } = service.session;
  const ticket = { slot: 3, sequence: 1, resent: false };
  await invoke(service.session.requests, "mkdir", [ROOT_CALLER, ROOT_INO, FILE, 0o755], ticket);
  await meta.sessions.end(service.session);
  await meta.engine.read((tx) => {
    t.is(tx.get(keys.session(id)), undefined);
    t.deepEqual([...tx.range(keyRanges.replySlots(id))], []);
    t.is(tx.get(keys.sliceRange(id, first)), undefined);
    t.true(isEnded(tx, first));
    t.false(isEnded(tx, (first + SLICE_RANGE_SIZE) as SliceId));
  });
});

test("slice ids are never handed out twice, and only their session may commit them", async (t) => {
  const engine = new MemoryEngine();
  const meta = await openLocalMeta({ engine });
  const [one, two] = [await meta.newSession(), await meta.newSession()];
  const again = await openLocalMeta({ engine });
  const ranges = [
    await one.allocateSlices(),
    await two.allocateSlices(),
    await (await again.newSession()).allocateSlices(),
  ];
  const firsts = ranges.map(({ first }) => first);
  t.is(new Set(firsts).size, 3);
  t.true(firsts.every((first) => first > 0 && first % SLICE_RANGE_SIZE === 0));
  const { attr } = await one.create(ROOT_CALLER, ROOT_INO, FILE, { mode: 0o100644 }, true);
  const commit = (slice: number): Promise<unknown> =>
    one.commit({
      ino: attr.ino,
      extents: [
        {
          chunk: 0,
          posInChunk: 0,
          lengthBytes: 1,
          slice: slice as SliceId,
          pool: 1 as PoolId,
          inline: Buffer.from("x"),
        },
      ],
      minSizeBytes: 1,
      mtime: { sec: 0, nsec: 0 },
      killPrivileges: false,
      durable: true,
    });
  await t.notThrowsAsync(commit(present(firsts[0]) + SLICE_RANGE_SIZE - 1));
  await t.throwsAsync(commit(present(firsts[1])), { code: "ESTALE" });
});

test("a repeated change answers what it answered before and is not done again", async (t) => {
  const meta = await openLocalMeta();
  const { requests } = (await meta.newSession()).session;
  const args = [ROOT_CALLER, ROOT_INO, FILE, { mode: 0o100644 }, true] as const;
  const ticket = { slot: 0, sequence: 7, resent: false };
  const first = await invoke(requests, "create", [...args], ticket);
  const second = await invoke(requests, "create", [...args], { ...ticket, resent: true });
  t.deepEqual(second, first);
  await t.throwsAsync(
    invoke(requests, "create", [...args], { slot: 0, sequence: 8, resent: true }),
    { code: "EEXIST" },
    "another number is another request",
  );
  await t.throwsAsync(
    invoke(requests, "create", [...args], { slot: 0, sequence: 6, resent: true }),
    { code: "EPROTO" },
    "an older number than the slot's is a fault",
  );
});

test("a repeated open brings the extents as they are now", async (t) => {
  const meta = await openLocalMeta();
  const service = await meta.newSession();
  const { requests } = service.session;
  const { attr } = await service.create(ROOT_CALLER, ROOT_INO, FILE, { mode: 0o100644 }, true);
  const { first } = await service.allocateSlices();
  const inline = Buffer.from("hello");
  await service.commit({
    ino: attr.ino,
    extents: [{ chunk: 0, posInChunk: 0, lengthBytes: 5, slice: first, pool: 1 as PoolId, inline }],
    minSizeBytes: 5,
    mtime: { sec: 1, nsec: 2 },
    killPrivileges: false,
    durable: false,
  });
  const access = { read: true, write: false, truncate: false };
  const ticket = { slot: 1, sequence: 1, resent: false };
  const opened = await invoke(requests, "open", [ROOT_CALLER, attr.ino, access], ticket);
  const again = await invoke(requests, "open", [ROOT_CALLER, attr.ino, access], {
    ...ticket,
    resent: true,
  });
  t.is(opened.firstChunk.extents.length, 1);
  t.deepEqual(again, opened);
});

test("no session gets the id that another one had, power cut included", async (t) => {
  const machine = new EngineMachine();
  const ids = new Set<number>();
  for (let start = 0; start < 5; start += 1) {
    const meta = await openLocalMeta({ engine: await machine.open(), clock: machine.clock });
    t.is(meta.sessions.list().length, start, "each that began is still there");
    ids.add((await meta.newSession()).session.id);
    machine.cut();
  }
  t.is(ids.size, 5);
});
