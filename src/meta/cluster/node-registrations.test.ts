import test, { type ExecutionContext } from "ava";
import type { NodeId } from "../../domain/ids.ts";
import { NodeRegistrations, type NodeProcess } from "./node-registrations.ts";

const NODE = "00000000000a" as NodeId;
const PATIENCE_MS = 5000;
const FIRST: NodeProcess = { nonce: "first", url: "http://a:1", start: 3 };
const ELSEWHERE: NodeProcess = { nonce: "second", url: "http://b:2", start: 4 };

function admit(registrations: NodeRegistrations, process: NodeProcess, silentMs = 0) {
  const arrival = registrations.claim(NODE, process, silentMs);
  registrations.confirm(NODE, process);
  return arrival;
}

function refuses(t: ExecutionContext, claim: () => unknown): void {
  t.throws(claim, {
    code: "EBUSY",
    message: /another process serves as node 00000000000a at http/,
  });
}

test("of two processes with a node's name the first stays while it is heard of", (t) => {
  const registrations = new NodeRegistrations([], PATIENCE_MS);
  admit(registrations, FIRST);
  refuses(t, () => registrations.claim(NODE, ELSEWHERE, PATIENCE_MS - 1));
  registrations.check(NODE, FIRST);
  refuses(t, () => registrations.check(NODE, ELSEWHERE));
  admit(registrations, ELSEWHERE, PATIENCE_MS);
  registrations.check(NODE, ELSEWHERE);
  refuses(t, () => registrations.check(NODE, FIRST));
});

test("a process at the address of the one before replaces it at once", (t) => {
  const registrations = new NodeRegistrations([], PATIENCE_MS);
  admit(registrations, FIRST);
  const restarted = { ...ELSEWHERE, url: FIRST.url };
  t.deepEqual(admit(registrations, restarted), { isNewStart: true, isOlder: false });
  refuses(t, () => registrations.check(NODE, FIRST));
});

test("a process that registers again is the same one, wherever it says it is", (t) => {
  const registrations = new NodeRegistrations([], PATIENCE_MS);
  admit(registrations, FIRST);
  const moved = { ...FIRST, url: "http://c:3" };
  t.throws(() => registrations.check(NODE, moved), { code: "ENOENT" });
  t.deepEqual(admit(registrations, moved), { isNewStart: false, isOlder: false });
  registrations.check(NODE, moved);
});

test("a server that has just started knows who served, but nobody as registered", (t) => {
  const registrations = new NodeRegistrations([{ id: NODE, ...FIRST }], PATIENCE_MS);
  t.false(registrations.isRegistered(NODE));
  t.throws(() => registrations.check(NODE, FIRST), { code: "ENOENT" });
  refuses(t, () => registrations.claim(NODE, ELSEWHERE, 0));
  t.deepEqual(admit(registrations, FIRST), { isNewStart: false, isOlder: false });
  t.true(registrations.isRegistered(NODE));
});

test("a registration that couldn't be stored takes nobody's place", (t) => {
  const registrations = new NodeRegistrations([], PATIENCE_MS);
  admit(registrations, FIRST);
  registrations.claim(NODE, ELSEWHERE, PATIENCE_MS);
  // While it is being stored nobody else gets in, however long it takes.
  const third = { nonce: "third", url: "http://c:3", start: 9 };
  refuses(t, () => registrations.claim(NODE, third, PATIENCE_MS));
  registrations.check(NODE, FIRST);
  registrations.withdraw(NODE, ELSEWHERE);
  registrations.check(NODE, FIRST);
  admit(registrations, third, PATIENCE_MS);
});

test("data that has counted no further than data that served before is older", (t) => {
  const registrations = new NodeRegistrations([{ id: NODE, ...FIRST }], PATIENCE_MS);
  let count = 0;
  for (const [start, isOlder] of [
    [4, false],
    [4, true],
    [2, true],
    [5, false],
  ] as const) {
    const nonce = `of the ${++count}th`;
    const arrival = admit(registrations, { nonce, url: FIRST.url, start });
    t.deepEqual(arrival, { isNewStart: true, isOlder });
  }
});
