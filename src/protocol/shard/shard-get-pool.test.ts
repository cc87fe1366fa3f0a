// The lean way of reading: connections are reused, bounded, replaced when they died, never mixed
// up.
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import test, { type ExecutionContext } from "ava";
import { FakeClock } from "../../testing/fake-clock.ts";
import { rejectsWith } from "../../testing/shard/shard-service-conformance.ts";
import { GetPool } from "./shard-get-pool.ts";
import { present } from "../../testing/present.ts";

interface Request {
  path: string;
  socket: Socket;
}

interface RawNode {
  pool: GetPool;
  sockets: Socket[];
  requests: Request[];
  /** Resolves when `count` requests have come in all. */
  requested: (count: number) => Promise<void>;
}

/** A server that keeps each request for the test to answer. */
async function startRawNode(t: ExecutionContext, bound = 2): Promise<RawNode> {
  const sockets: Socket[] = [];
  const requests: RawNode["requests"] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      for (const [, path] of bytes.toString("latin1").matchAll(/^GET (\S+) HTTP\/1\.1\r$/gm)) {
        requests.push({ path: present(path), socket });
        server.emit("request");
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const pool = new GetPool(new URL(`http://127.0.0.1:${port}`), bound, new FakeClock());
  t.teardown(() => {
    pool.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const requested = async (count: number): Promise<void> => {
    while (requests.length < count) await once(server, "request");
  };
  return { pool, sockets, requests, requested };
}

function answer(request: Request | undefined, body: string): void {
  present(request).socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
}

test("one connection serves many requests in turn", async (t) => {
  const { pool, requests, requested, sockets } = await startRawNode(t);
  for (let turn = 1; turn <= 3; turn++) {
    const target = Buffer.alloc(8);
    const getting = pool.get(`/${turn}`, {}, target);
    await requested(turn);
    answer(requests[turn - 1], `answer-${turn}`);
    t.is((await getting).bodyBytes, 8);
    t.is(target.toString(), `answer-${turn}`);
  }
  t.is(sockets.length, 1);
});

test("requests beyond the bound wait; those given up leave the queue", async (t) => {
  const { pool, requests, requested, sockets } = await startRawNode(t, 2);
  const targets = Array.from({ length: 4 }, () => Buffer.alloc(1));
  const controller = new AbortController();
  const gets = targets.map((target, at) =>
    pool.get(`/${at}`, {}, target, at === 2 ? controller.signal : undefined),
  );
  await requested(2);
  controller.abort();
  await rejectsWith(t, "EINTR", present(gets[2]));
  answer(requests[0], "a");
  await requested(3);
  t.deepEqual(
    requests.map(({ path }) => path),
    ["/0", "/1", "/3"],
  );
  answer(requests[1], "b");
  answer(requests[2], "c");
  await Promise.all([gets[0], gets[1], gets[3]]);
  t.is(targets.map(String).join("|"), "a|b|\0|c");
  t.is(sockets.length, 2);
});

test("a connection that died while idle is replaced without the caller's noticing", async (t) => {
  const { pool, requests, requested, sockets } = await startRawNode(t);
  const first = pool.get("/1", {}, Buffer.alloc(1));
  await requested(1);
  answer(requests[0], "a");
  await first;
  const second = pool.get("/2", {}, Buffer.alloc(1));
  await requested(2);
  present(sockets[0]).destroy();
  await requested(3);
  answer(requests[2], "b");
  t.is((await second).bodyBytes, 1);
  t.is(present(requests[2]).path, "/2");
});

test("a fresh connection that dies is the node's failure, not tried again", async (t) => {
  const { pool, requests, requested, sockets } = await startRawNode(t);
  const getting = pool.get("/1", {}, Buffer.alloc(1));
  await requested(1);
  present(sockets[0]).destroy();
  await rejectsWith(t, "ECONNREFUSED", getting);
  t.is(requests.length, 1);
});

test("an answer to a request that was given up is never taken for the next one's", async (t) => {
  const { pool, requests, requested, sockets } = await startRawNode(t, 1);
  const controller = new AbortController();
  const first = pool.get("/1", {}, Buffer.alloc(5), controller.signal);
  await requested(1);
  controller.abort();
  await rejectsWith(t, "EINTR", first);
  const target = Buffer.alloc(5);
  const second = pool.get("/2", {}, target);
  answer(requests[0], "first");
  await requested(2);
  answer(requests[1], "other");
  await second;
  t.is(target.toString(), "other");
  t.is(sockets.length, 2);
});

test("more bytes than the answer announced end the connection", async (t) => {
  const { pool, requests, requested } = await startRawNode(t);
  const getting = pool.get("/1", {}, Buffer.alloc(1));
  await requested(1);
  present(requests[0]).socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab");
  await rejectsWith(t, "EPROTO", getting);
});

test("a head without end is EPROTO, not endless memory", async (t) => {
  const { pool, requests, requested } = await startRawNode(t);
  const getting = pool.get("/1", {}, Buffer.alloc(1));
  await requested(1);
  present(requests[0]).socket.write(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(20_000)}`);
  await rejectsWith(t, "EPROTO", getting);
});

test("a header value with a line break is refused before anything is sent", async (t) => {
  const { pool, sockets } = await startRawNode(t);
  await rejectsWith(t, "EINVAL", pool.get("/1", { range: "a\r\nb: c" }, Buffer.alloc(1)));
  t.is(sockets.length, 0);
});

test("closing the pool ends what is under way and refuses what comes", async (t) => {
  const { pool, requested } = await startRawNode(t);
  const getting = pool.get("/1", {}, Buffer.alloc(1));
  await requested(1);
  pool.close();
  await rejectsWith(t, "ECONNREFUSED", getting);
  await rejectsWith(t, "ECONNREFUSED", pool.get("/2", {}, Buffer.alloc(1)));
});
