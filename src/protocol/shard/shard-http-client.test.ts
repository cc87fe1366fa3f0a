// The HTTP client against a real server on loopback, and against servers that misbehave.
import { once } from "node:events";
import { deferred } from "../../platform/flow/deferred.ts";
import { createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import test, { type ExecutionContext } from "ava";
import { request } from "undici";
import type { NodeId } from "../../domain/ids.ts";
import { CELL_BYTES } from "../../domain/format.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { openServedStore, TEST_HEADERS } from "../../testing/shard/shard-node.ts";
import {
  payloadOf,
  putShard,
  rejectsWith,
  sealed,
  shardId,
  testShardService,
  verdictOf,
} from "../../testing/shard/shard-service-conformance.ts";
import { MAX_PUT_CONNECTIONS } from "./limits.ts";
import { TEST_NAME } from "../../testing/shard/test-name.ts";
import { FOR_HEADER, formatNodeName, FROM_HEADER, type NodeName } from "./node-name.ts";
import { HttpShardService } from "./shard-http-client.ts";
import {
  CELL_CRCS_HEADER,
  encodeCellCrcs,
  ROUTES,
  WIRE_HEADER,
  WIRE_VERSION,
} from "./shard-wire.ts";
import { present } from "../../testing/present.ts";

testShardService(test, "http", async () => openServedStore());

/** Of every answer of the node that is asked for. */
const OWN_HEADERS = { [WIRE_HEADER]: WIRE_VERSION, [FROM_HEADER]: formatNodeName(TEST_NAME) };

/** A TCP server that answers each connection's first bytes with `answer`, or nothing. */
async function rawServer(
  t: ExecutionContext,
  answer: (socket: Socket, request: string) => void,
): Promise<HttpShardService> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("data", (bytes) => answer(socket, bytes.toString("latin1")));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const service = new HttpShardService(
    `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    { clock: new FakeClock(), ...TEST_NAME },
  );
  t.teardown(async () => {
    await service.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return service;
}

/** What AbortSignal.timeout gives, with an end that the test decides on. */
function timeLimit(): { signal: AbortSignal; end: () => void } {
  const controller = new AbortController();
  const end = (): void => controller.abort(new DOMException("time is up", "TimeoutError"));
  return { signal: controller.signal, end };
}

function head(status: string, headers: Record<string, string | number>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status}\r\n${lines.join("")}\r\n`;
}

function rangeHead(bytes: Uint8Array, changes: Record<string, string | number> = {}): string {
  return head("206 Partial Content", {
    "content-length": bytes.length,
    "content-range": `bytes 0-${bytes.length - 1}/${bytes.length}`,
    [CELL_CRCS_HEADER]: encodeCellCrcs(payloadOf(bytes.length).cellCrcs),
    ...OWN_HEADERS,
    ...changes,
  });
}

test("a node that answers nothing costs its callers just their time limit", async (t) => {
  let limit = timeLimit();
  const service = await rawServer(t, () => limit.end());
  const getting = service.get(shardId(1), 0, new Uint8Array(64), limit.signal);
  await rejectsWith(t, "ETIMEDOUT", getting);
  limit = timeLimit();
  await rejectsWith(
    t,
    "ETIMEDOUT",
    service.put(shardId(1), sealed(shardId(1), payloadOf(64)), limit.signal),
  );
});

test("a slow node gets as many puts as a client has, and other requests pass them", async (t) => {
  const puts: Socket[] = [];
  const allArrived = deferred<undefined>();
  const service = await rawServer(t, (socket, request) => {
    if (!request.startsWith("PUT")) {
      socket.end(head("204 No Content", OWN_HEADERS));
    } else if (puts.push(socket) === MAX_PUT_CONNECTIONS) {
      allArrived.resolve(undefined);
    }
  });
  const done = Array.from({ length: MAX_PUT_CONNECTIONS }, (_, slice) =>
    putShard(service, shardId(slice + 1), payloadOf(64)),
  );
  await allArrived.promise;
  await service.deleteMany([shardId(1)]);
  for (const socket of puts) socket.end(head("201 Created", OWN_HEADERS));
  await Promise.all(done);
  t.pass();
});

test("a caller's own abort is EINTR", async (t) => {
  const service = await rawServer(t, () => undefined);
  const controller = new AbortController();
  const getting = service.get(shardId(1), 0, new Uint8Array(64), controller.signal);
  setImmediate(() => controller.abort());
  await rejectsWith(t, "EINTR", getting);
});

test("a port nobody listens on is ECONNREFUSED", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  const service = new HttpShardService(`http://127.0.0.1:${port}`, {
    clock: new FakeClock(),
    ...TEST_NAME,
  });
  await rejectsWith(t, "ECONNREFUSED", service.head(shardId(1)));
  await rejectsWith(t, "ECONNREFUSED", service.get(shardId(1), 0, new Uint8Array(8)));
  await service.close();
});

test("a connection that ends before or within the answer is ECONNREFUSED", async (t) => {
  const early = await rawServer(t, (socket) => socket.destroy());
  await rejectsWith(t, "ECONNREFUSED", early.get(shardId(1), 0, new Uint8Array(64)));
  const { bytes } = payloadOf(64);
  const within = await rawServer(t, (socket) => {
    socket.end(Buffer.concat([Buffer.from(rangeHead(bytes)), bytes.subarray(0, 32)]));
  });
  await rejectsWith(t, "ECONNREFUSED", within.get(shardId(1), 0, new Uint8Array(64)));
});

test("a body in many pieces, split anywhere, lands whole in the target", async (t) => {
  const { bytes, cellCrcs } = payloadOf(CELL_BYTES + 64);
  const answer = Buffer.concat([Buffer.from(rangeHead(bytes)), bytes]);
  const cuts = [1, 17, 150, 230, 300, 5000, answer.length];
  const service = await rawServer(t, (socket) => {
    socket.setNoDelay(true);
    let from = 0;
    const sendNext = (): void => {
      const to = cuts.shift();
      if (to === undefined) return;
      socket.write(answer.subarray(from, to), () => setImmediate(sendNext));
      from = to;
    };
    sendNext();
  });
  const target = new Uint8Array(bytes.length);
  const slab = await service.get(shardId(1), 0, target);
  t.is(Buffer.compare(slab.bytes, bytes), 0);
  t.deepEqual(slab.cellCrcs, cellCrcs);
});

test("nothing is written into the target after the call has been given up", async (t) => {
  const { bytes } = payloadOf(2 * CELL_BYTES);
  let rest: (() => void) | undefined;
  const service = await rawServer(t, (socket) => {
    socket.write(Buffer.concat([Buffer.from(rangeHead(bytes)), bytes.subarray(0, 1000)]));
    rest = () => socket.write(bytes.subarray(1000));
  });
  const target = new Uint8Array(bytes.length);
  const limit = timeLimit();
  const getting = service.get(shardId(1), 0, target, limit.signal);
  while (target.every((byte) => byte === 0)) await new Promise(setImmediate);
  limit.end();
  await rejectsWith(t, "ETIMEDOUT", getting);
  const before = target.slice();
  present(rest)();
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  t.is(Buffer.compare(target, before), 0);
});

test("an answer that isn't what was asked for is EPROTO", async (t) => {
  const { bytes } = payloadOf(64);
  const answers: [string, string | Uint8Array][] = [
    ["another range", rangeHead(bytes, { "content-range": "bytes 64-127/128" }) + "x".repeat(64)],
    ["no range", head("200 OK", { "content-length": 64, ...OWN_HEADERS }) + "x".repeat(64)],
    ["another version", rangeHead(bytes, { [WIRE_HEADER]: "9" }) + "x".repeat(64)],
    ["more than asked for", rangeHead(new Uint8Array(128)) + "x".repeat(128)],
  ];
  for (const [title, answer] of answers) {
    const service = await rawServer(t, (socket) => socket.write(answer));
    const error = await t.throwsAsync(
      service.get(shardId(1), 0, new Uint8Array(64)),
      undefined,
      title,
    );
    t.true(["EPROTO", "EINVAL"].includes(present((error as { code?: string }).code)), title);
  }
});

test("a node that fails without a reason is EIO", async (t) => {
  const service = await rawServer(t, (socket) => {
    socket.write(
      head("500 Internal Server Error", { "content-length": 4, ...OWN_HEADERS }) + "oops",
    );
  });
  await rejectsWith(t, "EIO", service.get(shardId(1), 0, new Uint8Array(64)));
  await rejectsWith(t, "EIO", service.stats());
});

test("a get that times out leaves the service usable", async (t) => {
  const served = await openServedStore();
  await putShard(served.service, shardId(1), payloadOf(CELL_BYTES));
  const limit = timeLimit();
  const getting = served.service.get(shardId(1), 0, new Uint8Array(CELL_BYTES), limit.signal);
  setImmediate(limit.end);
  await getting.catch(() => undefined);
  const target = new Uint8Array(CELL_BYTES);
  await served.service.get(shardId(1), 0, target);
  t.is(Buffer.compare(target, payloadOf(CELL_BYTES).bytes), 0);
  await served.close();
});

test("a full node answers 507 before the body has come", async (t) => {
  const served = await openServedStore({ capacityBytes: 100 });
  const payload = payloadOf(2 * CELL_BYTES);
  const { port } = new URL(served.url);
  const socket = (await import("node:net")).connect(Number(port), "127.0.0.1");
  const headers = {
    host: "node",
    ...TEST_HEADERS,
    "content-length": payload.bytes.length,
    [CELL_CRCS_HEADER]: encodeCellCrcs(payload.cellCrcs),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`PUT ${ROUTES.shard(shardId(1))} HTTP/1.1\r\n${lines.join("")}\r\n`);
  const [answer] = (await once(socket, "data")) as [Buffer];
  t.regex(answer.toString(), /^HTTP\/1.1 507 .*"code":"ENOSPC"/s);
  socket.destroy();
  await rejectsWith(t, "ENOSPC", putShard(served.service, shardId(1), payload));
  await putShard(served.service, shardId(2), payloadOf(64));
  await served.close();
});

test("statuses and problem documents name the failure", async (t) => {
  const served = await openServedStore();
  const cases: [string, "GET" | "PUT" | "POST" | "DELETE", string, number, string][] = [
    ["unknown shard", "GET", ROUTES.shard(shardId(1)), 404, "ENOENT"],
    ["bad id", "GET", "/shards/nonsense", 400, "EINVAL"],
    ["bad id", "PUT", "/shards/1-2-3", 400, "EINVAL"],
    ["no checksums", "PUT", ROUTES.shard(shardId(1)), 400, "EINVAL"],
    ["unknown route", "DELETE", ROUTES.shard(shardId(1)), 400, "EINVAL"],
    ["half a key", "POST", ROUTES.headMany, 400, "EINVAL"],
    ["bad rebuild", "POST", ROUTES.rebuild(shardId(1)), 400, "EINVAL"],
  ];
  for (const [title, method, path, status, code] of cases) {
    const body = method === "GET" || method === "DELETE" ? null : "12345678";
    const reply = await request(served.url + path, { method, body, headers: TEST_HEADERS });
    const problem = (await reply.body.json()) as Record<string, unknown>;
    t.is(reply.statusCode, status, title);
    t.is(reply.headers["content-type"], "application/problem+json", title);
    t.like(problem, { status, code }, title);
  }
  const checksum = await request(served.url + ROUTES.shard(shardId(1)), {
    method: "PUT",
    headers: { ...TEST_HEADERS, [CELL_CRCS_HEADER]: encodeCellCrcs(new Uint32Array([1])) },
    body: Buffer.alloc(64),
  });
  t.is(checksum.statusCode, 422);
  await checksum.body.dump();
  await served.close();
});

test("a sender that goes away in mid-shard leaves nothing behind", async (t) => {
  const served = await openServedStore();
  const payload = payloadOf(4 * CELL_BYTES);
  const { port } = new URL(served.url);
  const socket = (await import("node:net")).connect(Number(port), "127.0.0.1");
  const crcs = encodeCellCrcs(sealed(shardId(1), payload).cellCrcs);
  const lines = [
    `PUT ${ROUTES.shard(shardId(1))} HTTP/1.1`,
    "host: n",
    `${FOR_HEADER}: ${TEST_HEADERS[FOR_HEADER]}`,
    `content-length: ${payload.bytes.length}`,
    `${CELL_CRCS_HEADER}: ${crcs}`,
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  await new Promise<void>((resolve) => {
    socket.write(payload.bytes.subarray(0, CELL_BYTES), () => resolve());
  });
  socket.destroy();
  await putShard(served.service, shardId(1), payload);
  t.is(await verdictOf(served.service, shardId(1)), "secure");
  t.is((await served.service.stats()).shards, 1);
  await served.close();
});

test("health and readiness are told", async (t) => {
  const served = await openServedStore();
  for (const path of ["/healthz", "/readyz"]) {
    const reply = await request(served.url + path);
    t.is(reply.statusCode, 200);
    await reply.body.dump();
  }
  await served.close();
});

/** Everything that one can ask of a node. */
const CALLS: readonly ((service: HttpShardService) => Promise<unknown>)[] = [
  (service) => putShard(service, shardId(2), payloadOf(64)),
  (service) => service.get(shardId(1), 0, new Uint8Array(64)),
  (service) => service.head(shardId(1)),
  (service) => service.deleteMany([shardId(1)]),
  (service) => service.list(shardId(1).pool, shardId(1).pg),
  (service) => service.groups(),
  (service) => service.secure([shardId(1)], "unseen"),
  (service) => service.rebuild({ id: shardId(1), policy: { k: 4, m: 2 }, sources: [] }),
  (service) => service.stats(),
];

test("a node does nothing for who means another node, or another cluster's", async (t) => {
  const served = await openServedStore();
  await putShard(served.service, shardId(1), payloadOf(64));
  const others: Partial<NodeName>[] = [
    { node: "00000000000b" as NodeId },
    { cluster: "cluster-2" },
    { cluster: "" },
  ];
  for (const other of others) {
    const options = { clock: new FakeClock(), ...TEST_NAME, ...other };
    await using service = new HttpShardService(served.url, options);
    for (const call of CALLS) await rejectsWith(t, "ECONNREFUSED", call(service));
    await t.throwsAsync(service.stats(), { message: /node cluster-1\/00000000000a answers at/ });
  }
  t.like(await served.service.stats(), { shards: 1 });
  await served.service.head(shardId(1));
  const unaddressed = await request(served.url + ROUTES.stats);
  t.is(unaddressed.statusCode, 421);
  await unaddressed.body.dump();
  await served.close();
});

test("a node that belongs to no cluster yet lets nobody in", async (t) => {
  const served = await openServedStore({}, () => undefined);
  for (const call of CALLS) await rejectsWith(t, "ECONNREFUSED", call(served.service));
  t.like(await served.store.stats(), { shards: 0 });
  await served.close();
});

test("an answer that doesn't name the node that was asked isn't believed", async (t) => {
  const { bytes } = payloadOf(64);
  const statuses = ["206 Partial Content", "404 Not Found", "204 No Content", "200 OK"];
  for (const status of statuses) {
    for (const from of [undefined, formatNodeName({ ...TEST_NAME, cluster: "cluster-2" })]) {
      const named: Record<string, string> = from === undefined ? {} : { [FROM_HEADER]: from };
      const headers = { "content-length": 64, "content-range": "bytes 0-63/64", ...named };
      const crcs = { [CELL_CRCS_HEADER]: encodeCellCrcs(payloadOf(64).cellCrcs) };
      const answer = head(status, { ...headers, ...crcs, [WIRE_HEADER]: WIRE_VERSION });
      const service = await rawServer(t, (socket) => {
        socket.write(Buffer.concat([Buffer.from(answer), bytes]));
      });
      const getting = service.get(shardId(1), 0, new Uint8Array(64));
      await rejectsWith(t, "ECONNREFUSED", getting);
    }
  }
});
