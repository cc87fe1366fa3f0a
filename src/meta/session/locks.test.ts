// Locks over the wire: what a connection that breaks does to those who hold and those who wait.
import test from "ava";
import { systemClock } from "../../platform/clock.ts";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { LOCK_END, type LockOwner } from "../../domain/file-lock.ts";
import { ROOT_INO, type Ino } from "../../domain/ids.ts";
import { toName } from "../../domain/name.ts";
import { silentLog } from "../../observability/log.ts";
import { connectMetaSession } from "../../protocol/meta/meta-session-client.ts";
import { dialWebSocket } from "../../protocol/rpc/web-sockets.ts";
import type { LockRequest, MetaService, MetaSession } from "../../protocol/meta/meta-service.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { MetaProxy } from "../../testing/meta/meta-proxy.ts";
import { TestMetaServer } from "../../testing/meta/meta-server.ts";
import { LockRequests } from "../../vfs/open/lock-requests.ts";
import { SESSION_DEAD_AFTER_MS } from "./limits.ts";

const OWNER = "0123456789abcdef" as LockOwner;

function lock(ino: Ino, type: LockRequest["type"], start = 0n): LockRequest {
  return { ino, space: "fcntl", owner: OWNER, type, pid: 3, wait: 0, start, end: LOCK_END };
}

async function makeFile(meta: MetaService): Promise<Ino> {
  const attr = await meta.mknod(ROOT_CALLER, ROOT_INO, toName("f"), { mode: 0o100644 });
  return attr.ino;
}

function connectVia(proxy: MetaProxy, { token }: TestMetaServer): Promise<MetaSession> {
  return connectMetaSession({
    clock: systemClock,
    url: proxy.url,
    token,
    dial: dialWebSocket,
    clientName: "test",
    log: silentLog,
  });
}

test("requests, answers and conflicts arrive as sent, 63-bit offsets included", async (t) => {
  await using server = await TestMetaServer.start();
  const [a, b] = [await server.connect(), await server.connect()];
  const ino = await makeFile(a);
  const start = 2n ** 60n + 1n;
  const reply = await a.setlk(lock(ino, "write", start));
  t.deepEqual(reply, { granted: true, attr: await a.getattr(ino) });
  const query = { ino, space: "fcntl", owner: OWNER, type: "read", start: 0n, end: start } as const;
  t.is(await b.getlk(query), undefined);
  t.deepEqual(await b.getlk({ ...query, end: start + 1n }), {
    ...{ type: "write", start, end: LOCK_END, pid: 0 },
  });
  await t.throwsAsync(b.setlk(lock(ino, "read")), { code: "EAGAIN" });
  await t.throwsAsync(b.setlk({ ...lock(ino, "read"), end: -1n }), { code: "EPROTO" });
});

test("a lock that becomes free is pushed to who waits for it", async (t) => {
  await using server = await TestMetaServer.start();
  const [a, b] = [await server.connect(), await server.connect()];
  const ino = await makeFile(a);
  await a.setlk(lock(ino, "write"));
  const waiting = new LockRequests(b).wait(lock(ino, "write"), new AbortController().signal);
  await t.throwsAsync(b.setlk(lock(ino, "write")), { code: "EAGAIN" });
  await a.setlk(lock(ino, "unlock"));
  t.true((await waiting).granted);
});

test("a wait goes on over broken connections; a lock granted meanwhile is not lost", async (t) => {
  await using server = await TestMetaServer.start();
  await using proxy = await MetaProxy.start(server.url);
  const a = await server.connect();
  await using b = await connectVia(proxy, server);
  const ino = await makeFile(a);
  await a.setlk(lock(ino, "write"));
  const waiting = new LockRequests(b).wait(lock(ino, "write"), new AbortController().signal);
  for (let round = 0; round < 3; round += 1) {
    proxy.cut();
    await b.getattr(ino);
  }
  // Nothing of the grant reaches the client before its next connection.
  const pushed = proxy.swallowAnswers();
  await a.setlk(lock(ino, "unlock"));
  await pushed;
  proxy.cut();
  t.true((await waiting).granted);
  await t.throwsAsync(a.setlk(lock(ino, "write")), { code: "EAGAIN" });
});

test("a client that dies keeps its locks until its session is dead, and no longer", async (t) => {
  const clock = new FakeClock();
  await using server = await TestMetaServer.start({ clock });
  await using proxy = await MetaProxy.start(server.url);
  const dying = await connectVia(proxy, server);
  const b = await server.connect();
  const ino = await makeFile(b);
  await dying.setlk(lock(ino, "write"));
  const waiting = new LockRequests(b).wait(lock(ino, "write"), new AbortController().signal);
  const gone = new Promise<void>((resolve) => dying.on("sessionLost", resolve));
  proxy.refuse(true);
  proxy.cut();
  await t.throwsAsync(b.setlk(lock(ino, "write")), { code: "EAGAIN" });
  for (let passedMs = 0; passedMs <= SESSION_DEAD_AFTER_MS; passedMs += 1000) {
    await clock.advance(1000);
    await b.getattr(ino);
  }
  t.true((await waiting).granted);
  proxy.refuse(false);
  await gone;
  await dying.close();
});
