import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import test from "ava";
import { pino } from "pino";
import { invariant } from "../../domain/invariant.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { openTempStore } from "../../testing/shard/shard-node.ts";
import { violationOf } from "../../testing/violation.ts";
import { createShardApp } from "./shard-server.ts";

test("a broken invariant in a route is no answer and no log line", async (t) => {
  const lines: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => lines.push(line) });
  const { store, close } = await openTempStore();
  t.teardown(close);
  const app = createShardApp({
    store,
    clock: new FakeClock(),
    log,
    name: () => undefined,
    notReady: () => {
      invariant(t.title === "", "broken");
      return undefined;
    },
  });
  const server = createServer(app).listen(0, "127.0.0.1");
  t.teardown(() => server.close());
  await once(server, "listening");
  // The server listens on TCP, so its address is no pipe's name.
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const answer: Buffer[] = [];
  socket.on("data", (bytes: Buffer) => answer.push(bytes));
  await violationOf(() => socket.write("GET /readyz HTTP/1.1\r\nHost: test\r\n\r\n"));
  server.closeAllConnections();
  await once(socket, "close");
  t.is(Buffer.concat(answer).toString(), "");
  t.deepEqual(lines, []);
});
