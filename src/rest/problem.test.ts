import { createServer } from "node:http";
import { once } from "node:events";
import { connect, type AddressInfo } from "node:net";
import test from "ava";
import express from "express";
import { pino } from "pino";
import { invariant } from "../domain/invariant.ts";
import { violationOf } from "../testing/violation.ts";
import { problemHandler } from "./problem.ts";

test("a broken invariant in a route is no answer and no log line", async (t) => {
  const lines: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => lines.push(line) });
  const app = express();
  app.get("/now", () => invariant(t.title === "", "broken now"));
  app.get("/later", async () => {
    await Promise.resolve();
    invariant(t.title === "", "broken later");
  });
  app.use(problemHandler(log));
  const server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  for (const path of ["now", "later"]) {
    // The server listens on TCP, so its address is no pipe's name.
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    const answer: Buffer[] = [];
    socket.on("data", (bytes: Buffer) => answer.push(bytes));
    const violation = await violationOf(() => {
      socket.write(`GET /${path} HTTP/1.1\r\nHost: test\r\n\r\n`);
    });
    t.is(violation.message, `broken ${path}`);
    server.closeAllConnections();
    await once(socket, "close");
    t.is(Buffer.concat(answer).toString(), "");
  }
  server.close();
  t.deepEqual(lines, []);
});
