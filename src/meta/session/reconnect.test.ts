import test from "ava";
import { pack, unpack } from "msgpackr";
import { WebSocket } from "ws";
import { systemClock, type Clock } from "../../platform/clock.ts";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { ROOT_INO } from "../../domain/ids.ts";
import { RPC_MISSED_HEARTBEATS } from "../../protocol/rpc/limits.ts";
import { toName } from "../../domain/name.ts";
import { silentLog } from "../../observability/log.ts";
import type { MetaSession } from "../../protocol/meta/meta-service.ts";
import { connectMetaSession } from "../../protocol/meta/meta-session-client.ts";
import { dialWebSocket } from "../../protocol/rpc/web-sockets.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { MetaProxy } from "../../testing/meta/meta-proxy.ts";
import { TestMetaServer } from "../../testing/meta/meta-server.ts";

const DIR = toName("dir");

function connectVia(
  proxy: MetaProxy,
  { token }: TestMetaServer,
  clock: Clock = systemClock,
): Promise<MetaSession> {
  const { url } = proxy;
  return connectMetaSession({
    clock,
    url,
    token,
    dial: dialWebSocket,
    clientName: "test",
    log: silentLog,
  });
}

test("a change whose answer was lost is answered after the reconnect and done once", async (t) => {
  await using server = await TestMetaServer.start();
  await using proxy = await MetaProxy.start(server.url);
  await using session = await connectVia(proxy, server);
  const executed = proxy.swallowAnswers();
  const pending = session.mkdir(ROOT_CALLER, ROOT_INO, DIR, 0o755);
  await executed;
  proxy.cut();
  const attr = await pending;
  t.deepEqual(attr, await session.lookup(ROOT_CALLER, ROOT_INO, DIR));
  await t.throwsAsync(session.mkdir(ROOT_CALLER, ROOT_INO, DIR, 0o755), { code: "EEXIST" });
});

test("a load of changes survives connections that keep breaking before the answers", async (t) => {
  await using server = await TestMetaServer.start();
  await using proxy = await MetaProxy.start(server.url);
  await using session = await connectVia(proxy, server);
  const names = Array.from({ length: 300 }, (_, index) => toName(`file-${index}`));
  const work = names.map(async (name, index) => {
    await session.mknod(ROOT_CALLER, ROOT_INO, name, { mode: 0o100644 });
    const moved = toName(`moved-${index}`);
    await session.rename(ROOT_CALLER, ROOT_INO, name, ROOT_INO, moved, 0);
    return session.lookup(ROOT_CALLER, ROOT_INO, moved);
  });
  const all = Promise.all(work);
  const progress = { done: false };
  void all.finally(() => (progress.done = true)).catch(() => undefined);
  while (!progress.done) {
    await Promise.race([proxy.swallowAnswers(), all]);
    proxy.cut();
    await session.getattr(ROOT_INO);
  }
  const attrs = await all;
  t.true(attrs.every(({ nlink }) => nlink === 1));
  const { entries } = await session.readdir(ROOT_CALLER, ROOT_INO, 0, 512, false);
  t.is(entries.length, 300);
});

test("a connection that went silent is given up and replaced", async (t) => {
  const clock = new FakeClock();
  await using server = await TestMetaServer.start();
  await using proxy = await MetaProxy.start(server.url);
  await using session = await connectVia(proxy, server, clock);
  proxy.stall();
  const pending = session.mkdir(ROOT_CALLER, ROOT_INO, DIR, 0o755);
  await clock.advance((RPC_MISSED_HEARTBEATS + 2) * 1000);
  t.is((await pending).nlink, 2);
});

test("a request is given up with ETIMEDOUT when the server is away for too long", async (t) => {
  const clock = new FakeClock();
  await using server = await TestMetaServer.start();
  await using proxy = await MetaProxy.start(server.url);
  await using session = await connectVia(proxy, server, clock);
  const other = await server.connect();
  const progress = { settled: false };
  const ask = (): Promise<unknown> => {
    progress.settled = false;
    return session.getattr(ROOT_INO).finally(() => (progress.settled = true));
  };
  proxy.refuse(true);
  proxy.cut();
  const inVain = t.throwsAsync(ask(), { code: "ETIMEDOUT" });
  await clock.advance(59_000);
  t.false(progress.settled);
  await clock.advance(2000);
  await inVain;
  proxy.refuse(false);
  const again = t.notThrowsAsync(ask());
  while (!progress.settled) {
    await clock.advance(100);
    // While this is answered the new connection gets on, too.
    await other.getattr(ROOT_INO);
  }
  await again;
});

test("a client whose session the server has ended hears of it and opens a new one", async (t) => {
  const serverClock = new FakeClock();
  await using server = await TestMetaServer.start({ clock: serverClock });
  await using proxy = await MetaProxy.start(server.url);
  await using session = await connectVia(proxy, server);
  let lost = 0;
  session.on("sessionLost", () => (lost += 1));
  const file = toName("file");
  const { attr } = await session.create(ROOT_CALLER, ROOT_INO, file, { mode: 0o100644 }, true);
  await session.unlink(ROOT_CALLER, ROOT_INO, file);
  const executed = proxy.swallowAnswers();
  const unknown = session.mkdir(ROOT_CALLER, ROOT_INO, DIR, 0o755);
  const read = session.getattr(ROOT_INO);
  await executed;
  proxy.refuse(true);
  proxy.cut();
  await serverClock.advance(90_000);
  proxy.refuse(false);
  await t.throwsAsync(unknown, { code: "EIO" });
  t.is((await read).ino, ROOT_INO);
  t.is(lost, 1);
  await t.throwsAsync(session.getattr(attr.ino), { code: "ENOENT" }, "its orphan is gone");
  t.is((await session.mkdir(ROOT_CALLER, ROOT_INO, toName("new"), 0o755)).nlink, 2);
});

test("a closed session releases what it held at once, and takes no more requests", async (t) => {
  await using server = await TestMetaServer.start();
  const [session, other] = [await server.connect(), await server.connect()];
  const file = toName("file");
  const { attr } = await session.create(ROOT_CALLER, ROOT_INO, file, { mode: 0o100644 }, true);
  await session.unlink(ROOT_CALLER, ROOT_INO, file);
  t.is((await other.getattr(attr.ino)).nlink, 0);
  await session.close();
  await t.throwsAsync(other.getattr(attr.ino), { code: "ENOENT" });
  await t.throwsAsync(session.getattr(ROOT_INO), { code: "ENOTCONN" });
  t.is((await server.admin.status()).sessions.length, 1);
});

test("new cluster maps are pushed, those missed while away come with the reconnect", async (t) => {
  await using server = await TestMetaServer.start();
  await using proxy = await MetaProxy.start(server.url);
  await using session = await connectVia(proxy, server);
  const epochs: number[] = [];
  let heard: () => void = () => undefined;
  session.on("mapChanged", ({ current }) => {
    epochs.push(current.epoch);
    heard();
  });
  const next = (): Promise<void> => new Promise((resolve) => (heard = resolve));
  const pushed = next();
  await register(server, "00000000000a");
  await pushed;
  proxy.refuse(true);
  proxy.cut();
  await register(server, "00000000000b");
  const caughtUp = next();
  proxy.refuse(false);
  await caughtUp;
  t.deepEqual(epochs, [2, 3]);
});

test("a token that doesn't hold, or holds no more, ends the session with EACCES", async (t) => {
  await using server = await TestMetaServer.start();
  const options = { url: server.url, dial: dialWebSocket, clientName: "test", log: silentLog };
  const refused = connectMetaSession({
    clock: systemClock,
    ...options,
    token: "dfs_" + "x".repeat(43),
  });
  await t.throwsAsync(refused, { code: "EACCES" });
  const session = await server.connect();
  const gone = t.throwsAsync(
    (async () => {
      for (;;) await session.getattr(ROOT_INO);
    })(),
    { code: "EACCES" },
  );
  await server.admin.logout();
  await gone;
});

test("no server at all is told soon", async (t) => {
  const clock = new FakeClock();
  const options = {
    url: "http://127.0.0.1:1",
    token: "",
    dial: dialWebSocket,
    clientName: "test",
    log: silentLog,
  };
  const progress = { settled: false };
  const connecting = t
    .throwsAsync(connectMetaSession({ ...options, clock }), { code: "ECONNREFUSED" })
    .finally(() => (progress.settled = true));
  while (!progress.settled) await clock.advance(500);
  await connecting;
  t.true(clock.monotonicMs() > 1000, "not at the first refusal: it may be starting");
});

test("a client of another version is refused and told so", async (t) => {
  await using server = await TestMetaServer.start();
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/rpc`, {
    headers: { authorization: `Bearer ${server.token}` },
  });
  await new Promise((resolve) => socket.once("open", resolve));
  const answer = new Promise<Buffer>((resolve) => socket.once("message", resolve));
  socket.send(pack([0, "hello", 999, { of: "another shape" }]));
  const [id, refusal, code, text] = unpack(await answer) as unknown[];
  t.deepEqual([id, refusal, code], [0, "refused", "EPROTO"]);
  t.regex(String(text), /version 5, the client 999/);
});

test("malformed frames end their connection and nothing else", async (t) => {
  await using server = await TestMetaServer.start();
  const session = await server.connect();
  const frames: (Buffer | string)[] = [
    "text",
    Buffer.from([0xc1]),
    Buffer.from([0x05]),
    Buffer.from([0x93, 0x00, 0xa5]),
    Buffer.alloc(1000, 0x91),
  ];
  for (const frame of frames) {
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/rpc`, {
      headers: { authorization: `Bearer ${server.token}` },
    });
    await new Promise((resolve) => socket.once("open", resolve));
    const closed = new Promise<number>((resolve) => socket.once("close", resolve));
    socket.send(frame);
    t.is(await closed, 1002);
  }
  t.is((await session.getattr(ROOT_INO)).ino, ROOT_INO);
});

async function register(server: TestMetaServer, id: string): Promise<void> {
  const who = { id, url: "http://127.0.0.1:9", nonce: id.padStart(16, "0"), start: 1 };
  const node = { ...who, capacityBytes: 1, usedBytes: 0 };
  const response = await fetch(`${server.url}/api/v1/nodes/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(node),
  });
  await response.body?.cancel();
}
