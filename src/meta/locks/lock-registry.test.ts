import test from "ava";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { WHOLE_FILE, type LockOwner } from "../../domain/file-lock.ts";
import { ROOT_INO, type Ino } from "../../domain/ids.ts";
import { MAX_LOCKS_PER_INODE } from "./limits.ts";
import { toName } from "../../domain/name.ts";
import type { LockRequest, MetaService } from "../../protocol/meta/meta-service.ts";
import { openLocalMeta, type LocalMeta } from "../../testing/meta/meta-server.ts";
import { MemoryEngine } from "../engine/memory-engine.ts";
import { keysUnder } from "../schema/keys.ts";
import type { Session } from "../session/session-registry.ts";
import { present } from "../../testing/present.ts";

type Client = MetaService & { session: Session; ready: number[] };

async function connect(meta: LocalMeta): Promise<Client> {
  const client = Object.assign(await meta.newSession(), { ready: [] as number[] });
  meta.sessions.attach(client.session, {
    displaced: () => undefined,
    push: (name, value) => {
      if (name === "lockReady") client.ready.push(value as number); // a wait, by its name
    },
  });
  return client;
}

async function setUp(clients = 3): Promise<{ meta: LocalMeta; ino: Ino; all: Client[] }> {
  const meta = await openLocalMeta({ engine: new MemoryEngine() });
  const all: Client[] = [];
  for (let index = 0; index < clients; index += 1) all.push(await connect(meta));
  const [first] = all;
  if (first === undefined) throw new Error("no client");
  const { ino } = await first.mknod(ROOT_CALLER, ROOT_INO, toName("f"), { mode: 0o100644 });
  return { meta, ino, all };
}

function lock(ino: Ino, type: LockRequest["type"], rest: Partial<LockRequest> = {}): LockRequest {
  const owner = "aaaaaaaaaaaaaaaa" as LockOwner;
  return { ino, space: "fcntl", owner, type, pid: 7, wait: 0, ...WHOLE_FILE, ...rest };
}

async function storedLocks({ engine }: LocalMeta): Promise<number> {
  return await engine.read(
    (tx) =>
      [...tx.range(keysUnder(Buffer.from("k")))].length +
      [...tx.range(keysUnder(Buffer.from("K")))].length,
  );
}

/** Those of the clients that were told of their lock, by place. */
function told(all: readonly Client[]): number[] {
  return all.flatMap(({ ready }, index) => (ready.length > 0 ? [index] : []));
}

test("the same owner in two sessions is two holders: the second one is refused", async (t) => {
  const { ino, all } = await setUp();
  const [a, b] = all as [Client, Client];
  t.true((await a.setlk(lock(ino, "write"))).granted);
  await t.throwsAsync(b.setlk(lock(ino, "read")), { code: "EAGAIN" });
  t.true((await b.setlk(lock(ino, "write", { space: "flock" }))).granted, "spaces are apart");
  await a.setlk(lock(ino, "unlock"));
  t.true((await b.setlk(lock(ino, "read"))).granted);
});

test("getlk names the lock in the way, and the process only to its own client", async (t) => {
  const { ino, all } = await setUp();
  const [a, b] = all as [Client, Client];
  await a.setlk(lock(ino, "write", { start: 10n, end: 2n ** 62n, pid: 42 }));
  const other = {
    ...lock(ino, "read"),
    type: "read",
    owner: "bbbbbbbbbbbbbbbb" as LockOwner,
  } as const;
  const held = { type: "write", start: 10n, end: 2n ** 62n } as const;
  t.deepEqual(await a.getlk(other), { ...held, pid: 42 });
  t.deepEqual(await b.getlk(other), { ...held, pid: 0 });
  t.is(await b.getlk({ ...other, start: 0n, end: 10n }), undefined);
});

test("those who wait get the lock in the order they came, readers together", async (t) => {
  const { ino, all } = await setUp(5);
  const types = ["write", "read", "read", "write", "read"] as const;
  for (const [index, client] of all.entries()) {
    const { granted } = await client.setlk(lock(ino, present(types[index]), { wait: 9 }));
    t.is(granted, index === 0);
  }
  await present(all[0]).setlk(lock(ino, "unlock"));
  t.deepEqual(told(all), [1, 2, 4], "a reader passes a waiting writer, as on Linux");
  for (const index of [1, 2]) await present(all[index]).setlk(lock(ino, "unlock"));
  t.deepEqual(told(all), [1, 2, 4]);
  await present(all[4]).setlk(lock(ino, "unlock"));
  t.deepEqual(told(all), [1, 2, 3, 4]);
  t.true(
    present(await present(all[3]).setlk(lock(ino, "write", { wait: 9 }))).granted,
    "asking again tells so",
  );
});

test("a part that is unlocked, or made shared, goes to who waits for no more", async (t) => {
  const { ino, all } = await setUp(4);
  const [a, b, c, d] = all as [Client, Client, Client, Client];
  await a.setlk(lock(ino, "write"));
  await b.setlk(lock(ino, "write", { start: 0n, end: 10n, wait: 1 }));
  await c.setlk(lock(ino, "write", { start: 10n, end: 20n, wait: 1 }));
  await d.setlk(lock(ino, "read", { start: 30n, end: 40n, wait: 1 }));
  await a.setlk(lock(ino, "unlock", { start: 5n, end: 20n }));
  t.deepEqual(told(all), [2]);
  await a.setlk(lock(ino, "read", { start: 30n, end: 100n }));
  t.deepEqual(told(all), [2, 3]);
});

test("a wait that is cancelled gets nothing; one that was served says so", async (t) => {
  const { ino, all } = await setUp();
  const [a, b, c] = all as [Client, Client, Client];
  await a.setlk(lock(ino, "write"));
  const request = lock(ino, "write", { wait: 3 });
  await b.setlk(request);
  await c.setlk(request);
  t.false(await b.cancelLock(request));
  await a.setlk(lock(ino, "unlock"));
  t.deepEqual(told(all), [2]);
  t.true(await c.cancelLock(request), "too late: it has the lock");
  t.false(await b.cancelLock(request));
});

test("a circle of waits is refused with EDEADLK, whatever its length", async (t) => {
  const { ino, all } = await setUp(4);
  const [a, b, c, d] = all as [Client, Client, Client, Client];
  for (const [index, client] of all.entries()) {
    const start = BigInt(index);
    await client.setlk(lock(ino, "write", { start, end: start + 1n }));
  }
  const want = (place: bigint): LockRequest =>
    lock(ino, "write", { start: place, end: place + 1n, wait: 1 });
  t.false((await a.setlk(want(1n))).granted);
  t.false((await b.setlk(want(2n))).granted);
  t.false((await d.setlk(want(0n))).granted, "a chain is no circle");
  await t.throwsAsync(c.setlk(want(0n)), { code: "EDEADLK" });
  await t.throwsAsync(c.setlk(want(3n)), { code: "EDEADLK" });
  await t.throwsAsync(c.setlk({ ...want(0n), wait: 0 }), { code: "EAGAIN" });
  await c.setlk(lock(ino, "unlock"));
  t.deepEqual(told(all), [1], "the refused wait is gone, the others go on");
});

test("a circle over two files is found, one of flocks isn't looked for", async (t) => {
  const { ino, all } = await setUp(2);
  const [a, b] = all as [Client, Client];
  const { ino: second } = await a.mknod(ROOT_CALLER, ROOT_INO, toName("g"), { mode: 0o100644 });
  for (const space of ["fcntl", "flock"] as const) {
    await a.setlk(lock(ino, "write", { space }));
    await b.setlk(lock(second, "write", { space }));
    const wait = space === "fcntl" ? 1 : 2;
    t.false((await a.setlk(lock(second, "write", { space, wait }))).granted);
    const closing = b.setlk(lock(ino, "write", { space, wait }));
    if (space === "fcntl") await t.throwsAsync(closing, { code: "EDEADLK" });
    else t.false((await closing).granted);
  }
});

test("converting a flock gives it up first: two who do so don't block each other", async (t) => {
  const { ino, all } = await setUp(2);
  const [a, b] = all as [Client, Client];
  const flock = (type: LockRequest["type"], wait = 0): LockRequest =>
    lock(ino, type, { space: "flock", wait });
  await a.setlk(flock("read"));
  await b.setlk(flock("read"));
  t.false((await a.setlk(flock("write", 1))).granted);
  t.true((await b.setlk(flock("write", 1))).granted);
  await t.throwsAsync(a.setlk(flock("read")), { code: "EAGAIN" });
  await b.setlk(flock("unlock"));
  t.deepEqual(told(all), [0]);
});

test("the end of a session frees its locks for those who wait, and leaves no record", async (t) => {
  const { meta, ino, all } = await setUp();
  const [a, b, c] = all as [Client, Client, Client];
  await a.setlk(lock(ino, "write"));
  await b.setlk(lock(ino, "write", { wait: 1 }));
  await c.setlk(lock(ino, "write", { wait: 1 }));
  await meta.sessions.end(a.session);
  t.deepEqual(told(all), [1]);
  await meta.sessions.end(b.session);
  t.deepEqual(told(all), [1, 2]);
  await t.throwsAsync(a.setlk(lock(ino, "write")), { code: "ESTALE" });
  await c.setlk(lock(ino, "unlock"));
  t.is(await storedLocks(meta), 0);
});

test("a client whose connection is gone is not given a lock before it has come back", async (t) => {
  const { meta, ino, all } = await setUp();
  const [a, b, c] = all as [Client, Client, Client];
  await a.setlk(lock(ino, "write"));
  await b.setlk(lock(ino, "write", { wait: 1 }));
  await c.setlk(lock(ino, "write", { wait: 1 }));
  meta.sessions.detach(b.session, present(b.session.connection));
  await a.setlk(lock(ino, "unlock"));
  t.deepEqual(told(all), [2]);
});

test("locks outlive a restart of the server", async (t) => {
  const { meta, ino, all } = await setUp(1);
  await present(all[0]).setlk(lock(ino, "write", { start: 5n, end: 9n }));
  const again = await openLocalMeta({ engine: meta.engine });
  const other = await connect(again);
  await t.throwsAsync(other.setlk(lock(ino, "write")), { code: "EAGAIN" });
  t.true((await other.setlk(lock(ino, "write", { start: 9n, end: 20n }))).granted);
});

test("an inode takes so many locks and no more", async (t) => {
  const { meta, ino, all } = await setUp(1);
  const [a] = all as [Client];
  for (let at = 0; at < MAX_LOCKS_PER_INODE; at += 1) {
    await a.setlk(lock(ino, "read", { start: BigInt(2 * at), end: BigInt(2 * at + 1) }));
  }
  const more = lock(ino, "read", { start: BigInt(2 ** 40), end: BigInt(2 ** 41) });
  await t.throwsAsync(a.setlk(more), { code: "ENOLCK" });
  await a.setlk(lock(ino, "unlock"));
  t.is(await storedLocks(meta), 0);
});

test("clients that lock, wait, cancel at random never conflict; none is forgotten", async (t) => {
  const { ino, all } = await setUp(6);
  let holder: number | undefined;
  let turns = 0;
  let seed = 12345;
  const random = (below: number): number => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return Math.floor((seed / 2 ** 31) * below);
  };
  await Promise.all(
    all.map(async (client, index) => {
      for (let wait = 1; wait <= 40; wait += 1) {
        const request = lock(ino, "write", { wait });
        let { granted } = await client.setlk(request);
        const cancels = !granted && random(4) === 0;
        if (cancels) granted = await client.cancelLock(request);
        while (!granted && !cancels) {
          if (client.ready.includes(wait)) granted = (await client.setlk(request)).granted;
          else await new Promise((resolve) => setImmediate(resolve));
        }
        if (!granted) continue;
        t.is(holder, undefined);
        holder = index;
        turns += 1;
        for (let pause = random(3); pause > 0; pause -= 1) await Promise.resolve();
        holder = undefined;
        await client.setlk(lock(ino, "unlock"));
      }
    }),
  );
  t.true(turns > 100);
});
