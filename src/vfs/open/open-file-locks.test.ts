import test from "ava";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { WHOLE_FILE, type LockOwner } from "../../domain/file-lock.ts";
import { createFile, readAll, testMount, type TestMount } from "../../testing/vfs/vfs-mount.ts";
import type { DfsVfs } from "./dfs-vfs.ts";
import { type FileLockRequest, O_RDWR, type OpenResult } from "../vfs.ts";

const P = "00000000000000aa" as LockOwner;
const Q = "00000000000000bb" as LockOwner;

function lock(type: FileLockRequest["type"], rest: Partial<FileLockRequest> = {}): FileLockRequest {
  return { space: "fcntl", owner: P, type, pid: 1, ...WHOLE_FILE, ...rest };
}

interface TwoClients {
  a: TestMount;
  b: TestMount;
  /** The same file, opened on either. */
  fileA: OpenResult;
  fileB: OpenResult;
}

async function twoClients(): Promise<TwoClients> {
  const a = await testMount();
  const b = await testMount({ namespace: a.namespace, blocks: a.blocks, clock: a.clock });
  const fileA = await createFile(a.vfs, "f");
  const fileB = await openAgain(b.vfs, fileA);
  return { a, b, fileA, fileB };
}

function openAgain(vfs: DfsVfs, { attr }: OpenResult): Promise<OpenResult> {
  return vfs.open(ROOT_CALLER, attr.ino, O_RDWR);
}

/** Whether somebody else could lock the file now; leaves it as it was. */
async function isFree(
  { b, fileB }: TwoClients,
  space: "fcntl" | "flock" = "fcntl",
): Promise<boolean> {
  try {
    await b.vfs.setlk(fileB.fh, lock("write", { space, owner: Q }));
  } catch {
    return false;
  }
  await b.vfs.setlk(fileB.fh, lock("unlock", { space, owner: Q }));
  return true;
}

test("what one client wrote under a lock, the other reads under its own lock", async (t) => {
  const { a, b, fileA, fileB } = await twoClients();
  for (let round = 0; round < 6; round += 1) {
    const [writer, reader] = round % 2 === 0 ? [a.vfs, b.vfs] : [b.vfs, a.vfs];
    const [out, into] = round % 2 === 0 ? [fileA.fh, fileB.fh] : [fileB.fh, fileA.fh];
    const text = Buffer.from(`round ${round} `.repeat(500));
    await writer.setlk(out, lock("write"));
    await writer.write(out, 0, text, false);
    await writer.setlk(out, lock("unlock"));
    await reader.setlk(into, lock("read", { owner: Q }));
    t.deepEqual(await readAll(reader, into), text);
    await reader.setlk(into, lock("unlock", { owner: Q }));
  }
});

test("the kernel's pages are good after a lock only if nobody can have written", async (t) => {
  const { a, b, fileA, fileB } = await twoClients();
  const staleAfter = async (): Promise<boolean> => {
    const { stale } = await a.vfs.setlk(fileA.fh, lock("write"));
    await a.vfs.setlk(fileA.fh, lock("unlock"));
    return stale;
  };
  t.false(await staleAfter());
  await b.vfs.write(fileB.fh, 0, Buffer.from("other"), false);
  await b.vfs.flush(fileB.fh);
  t.true(await staleAfter(), "changed by another client");
  t.false(await staleAfter());
  await a.clock.advance(5000);
  await b.vfs.write(fileB.fh, 0, Buffer.from("third"), false);
  await b.vfs.flush(fileB.fh);
  await a.vfs.getattr(ROOT_CALLER, fileA.attr.ino);
  t.true(await staleAfter(), "noticed by stat, which says nothing of the pages");
  await a.vfs.write(fileA.fh, 100, Buffer.from("own"), false);
  await a.vfs.flush(fileA.fh);
  t.true(await staleAfter(), "an own change may have hidden another's");
});

test("any close by a process gives up its fcntl locks on the file, no one else's", async (t) => {
  const clients = await twoClients();
  const { vfs } = clients.a;
  const second = await openAgain(vfs, clients.fileA);
  await vfs.setlk(clients.fileA.fh, lock("read"));
  await vfs.setlk(clients.fileA.fh, lock("read", { owner: Q }));
  await vfs.flush(second.fh, P);
  t.false(await isFree(clients), "the other process still has its lock");
  await vfs.flush(second.fh, Q);
  t.true(await isFree(clients));
});

test("a flock, and a lock of an open file, go when its last reference does", async (t) => {
  const clients = await twoClients();
  const { vfs } = clients.a;
  for (const space of ["flock", "fcntl"] as const) {
    const first = await openAgain(vfs, clients.fileA);
    const second = await openAgain(vfs, clients.fileA);
    await vfs.setlk(first.fh, lock("write", { space }));
    await vfs.flush(second.fh, Q);
    vfs.release(second.fh);
    t.false(await isFree(clients, space));
    vfs.release(first.fh);
    await settled(() => isFree(clients, space));
    t.true(await isFree(clients, space));
  }
});

/** Until it holds; what it waits for takes some turns of the event loop, and no time. */
async function settled(holds: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 100 && !(await holds()); turn += 1) {
    await new Promise(setImmediate);
  }
}

test("a lock is released only when what was written under it can be seen", async (t) => {
  const { a, b, fileA, fileB } = await twoClients();
  await a.vfs.setlk(fileA.fh, lock("write"));
  const waiting = b.vfs.setlk(fileB.fh, lock("write"), new AbortController().signal);
  await a.vfs.write(fileA.fh, 0, Buffer.from("under the lock"), false);
  const committed: string[] = [];
  a.meta.hooks.set("commit", async (go) => {
    const reply = await go();
    committed.push("committed");
    return reply;
  });
  void a.vfs.flush(fileA.fh, P);
  await waiting;
  t.deepEqual(committed, ["committed"]);
  t.is((await readAll(b.vfs, fileB.fh)).toString(), "under the lock");
});

test("a lock isn't passed on while what was written under it can't be seen", async (t) => {
  const clients = await twoClients();
  const { a, fileA } = clients;
  const reader = await a.vfs.open(ROOT_CALLER, fileA.attr.ino, 0);
  await a.vfs.setlk(fileA.fh, lock("write"));
  await a.vfs.setlk(fileA.fh, lock("write", { space: "flock", owner: Q }));
  await a.vfs.write(fileA.fh, 0, Buffer.from("lost"), false);
  a.meta.hooks.set("commit", () => Promise.reject(new FsError("EDQUOT", "injected")));
  await t.throwsAsync(a.vfs.setlk(fileA.fh, lock("unlock")), { code: "EDQUOT" });
  const unlock = lock("unlock", { space: "flock", owner: Q });
  await t.throwsAsync(a.vfs.setlk(fileA.fh, unlock), { code: "EDQUOT" });
  await t.throwsAsync(a.vfs.setlk(fileA.fh, lock("read")), { code: "EDQUOT" });
  await t.throwsAsync(async () => a.vfs.flush(reader.fh, P), { code: "EDQUOT" });
  t.false(await isFree(clients));
  t.false(await isFree(clients, "flock"));
  await t.throwsAsync(async () => a.vfs.flush(fileA.fh, P), { code: "EDQUOT" });
  t.true(await isFree(clients), "whoever wrote has been told");
  await a.vfs.setlk(fileA.fh, unlock);
  t.true(await isFree(clients, "flock"));
});

test("a wait ends with the lock, or with EINTR when it is interrupted", async (t) => {
  const { a, b, fileA, fileB } = await twoClients();
  await a.vfs.setlk(fileA.fh, lock("write"));
  const abort = new AbortController();
  const interrupted = b.vfs.setlk(fileB.fh, lock("write"), abort.signal);
  const patient = b.vfs.setlk(fileB.fh, lock("write", { owner: Q }), new AbortController().signal);
  await settled(() => Promise.resolve(b.meta.counts.get("setlk") === 2));
  abort.abort();
  await t.throwsAsync(interrupted, { code: "EINTR" });
  await a.vfs.setlk(fileA.fh, lock("unlock"));
  await t.notThrowsAsync(patient);
});

test("a signal that comes when the lock is there already doesn't lose it", async (t) => {
  const clients = await twoClients();
  const { a, b, fileA, fileB } = clients;
  await a.vfs.setlk(fileA.fh, lock("write"));
  const abort = new AbortController();
  b.meta.hooks.set("cancelLock", async (go) => {
    await a.vfs.setlk(fileA.fh, lock("unlock"));
    return go();
  });
  const waiting = b.vfs.setlk(fileB.fh, lock("write"), abort.signal);
  await settled(() => Promise.resolve(b.meta.counts.get("setlk") === 1));
  abort.abort();
  await t.notThrowsAsync(waiting);
  await t.throwsAsync(a.vfs.setlk(fileA.fh, lock("write")), { code: "EAGAIN" });
});

test("a wait outlasts a server that is away", async (t) => {
  const { a, fileA } = await twoClients();
  let away = 3;
  a.meta.hooks.set("setlk", (go) => {
    away -= 1;
    return away < 0 ? go() : Promise.reject(new FsError("ETIMEDOUT", "away"));
  });
  const { signal } = new AbortController();
  await t.notThrowsAsync(a.vfs.setlk(fileA.fh, lock("write"), signal));
  t.is(away, -1);
});

test("a lock that can't be released while the server is away is released later", async (t) => {
  const clients = await twoClients();
  const { a, fileA } = clients;
  await a.vfs.setlk(fileA.fh, lock("write"));
  let back: () => void = () => undefined;
  const away = new Promise<void>((resolve) => (back = resolve));
  let attempts = 0;
  a.meta.hooks.set("setlk", async (go) => {
    attempts += 1;
    if (attempts === 1) throw new FsError("ETIMEDOUT", "away");
    await away;
    return go();
  });
  await t.throwsAsync(async () => a.vfs.flush(fileA.fh, P), { code: "ETIMEDOUT" });
  t.false(await isFree(clients));
  back();
  await settled(() => isFree(clients));
  t.true(await isFree(clients));
});

test("who loses a lock with the session gets EIO, and can open the file again", async (t) => {
  const clients = await twoClients();
  const { a, fileA } = clients;
  const unlocked = await createFile(a.vfs, "unlocked");
  await a.vfs.setlk(fileA.fh, lock("write"));
  await a.vfs.write(fileA.fh, 0, Buffer.from("never seen"), false);
  await a.meta.lose();
  t.true(await isFree(clients));
  await t.throwsAsync(async () => a.vfs.read(fileA.fh, 0, 10), { code: "EIO" });
  await t.throwsAsync(async () => a.vfs.setlk(fileA.fh, lock("read")), { code: "EIO" });
  a.vfs.release(fileA.fh);
  await t.notThrowsAsync(async () => a.vfs.write(unlocked.fh, 0, Buffer.from("x"), false));
  const again = await openAgain(a.vfs, fileA);
  t.is((await readAll(a.vfs, again.fh)).length, 0, "nothing is written after the lock was lost");
});

test("who never locked costs the server nothing at a close", async (t) => {
  const { a, fileA } = await twoClients();
  await a.vfs.flush(fileA.fh, P);
  a.vfs.release(fileA.fh);
  t.is(a.meta.counts.get("setlk"), undefined);
});
