import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import test, { type ExecutionContext } from "ava";
import { pino } from "pino";
import { ROOT_INO, type SessionId } from "../../domain/ids.ts";
import { invariant } from "../../domain/invariant.ts";
import { silentLog } from "../../observability/log.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { LONE_MAPS } from "../../testing/meta/lone-map.ts";
import { present } from "../../testing/present.ts";
import { violationOf } from "../../testing/violation.ts";
import { packWelcome } from "../meta/hello.ts";
import { OPERATIONS_BY_NUMBER } from "../meta/meta-calls.ts";
import { connectMetaSession } from "../meta/meta-session-client.ts";
import { RpcServer } from "./rpc-server.ts";
import type { RpcHost, RpcSession } from "./served-connection.ts";
import { dialWebSocket, WebSocketEntrance } from "./web-sockets.ts";

/** The client asks whether the server lives when it has waited. */
const PONG_BYTES = 2;

/** A host whose sessions do what `invoke` says. */
function hostOf(invoke: RpcSession["invoke"]): RpcHost<string> {
  const session = {
    invoke,
    redo: async () => [],
    goodbye: async () => undefined,
    disconnected: () => undefined,
  };
  const welcome = packWelcome({
    key: { session: 1 as SessionId, secret: new Uint8Array(16) },
    resumed: false,
    clusterId: "00",
    maps: LONE_MAPS,
    history: { incarnations: [{ id: "one", beganAt: 0 }], durablePosition: 0 },
  });
  return {
    procedures: OPERATIONS_BY_NUMBER,
    authenticate: async () => "tester",
    greet: async () => ({ welcome, session }),
  };
}

/** A client's first request breaks an invariant: nothing is answered and nothing is logged. */
async function assertSilence(t: ExecutionContext, invoke: () => unknown): Promise<void> {
  const lines: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => lines.push(line) });
  const rpc = new RpcServer({ host: hostOf(invoke), clock: new FakeClock(), log });
  const server = createServer().listen(0, "127.0.0.1");
  const entrance = new WebSocketEntrance(rpc, log);
  server.on("upgrade", (request, socket, head) => entrance.upgrade(request, socket, head));
  const sockets: Socket[] = [];
  server.on("connection", (socket) => sockets.push(socket));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, "listening");
  // The server listens on TCP, so its address is no pipe's name.
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const options = { token: "", clientName: "t", log: silentLog, clock: new FakeClock() };
  const session = await connectMetaSession({
    url,
    dial: dialWebSocket,
    ...options,
  });
  const socket = present(sockets[0]);
  const sentBytes = socket.bytesWritten;
  await violationOf(() => session.getattr(ROOT_INO));
  t.true(socket.bytesWritten - sentBytes <= PONG_BYTES);
  t.deepEqual(lines, []);
}

const broken = (): void => invariant(hostOf.name === "", "broken");

test("a broken invariant in a request is no answer and no log line", (t) =>
  assertSilence(t, broken));

test("a broken invariant behind a promise is no answer and no log line", (t) =>
  assertSilence(t, () => Promise.resolve().then(broken)));
