import test from "ava";
import { present } from "../../testing/present.ts";
import { violationOf } from "../../testing/violation.ts";
import { MAX_REPLY_SLOTS } from "./limits.ts";
import type { Message } from "./frame-channel.ts";
import type { Procedure } from "./procedure.ts";
import { ChangeLog } from "./change-log.ts";
import { PendingCalls } from "./pending-calls.ts";

const NO_CODEC = { pack: (value: unknown) => value, read: (raw: unknown) => raw ?? undefined };
const COMMON = { once: true, doneBySessionEnd: false, args: [], result: NO_CODEC };
const CHANGE: Procedure = { ...COMMON, name: "change", number: 1 };
const RELEASE: Procedure = { ...COMMON, name: "release", number: 2, doneBySessionEnd: true };
const LOOK: Procedure = { ...COMMON, name: "look", number: 3, once: false };

function idOf(message: Message | undefined): number {
  return present(message)[0] as number;
}

test("a mutation beyond the reply slots leaves when one before it is answered", async (t) => {
  const calls = new PendingCalls(new ChangeLog());
  const sent: Message[] = [];
  calls.resume((message) => sent.push(message));
  const all = Array.from({ length: MAX_REPLY_SLOTS + 1 }, () => calls.add(CHANGE, [], Infinity));
  t.is(sent.length, MAX_REPLY_SLOTS);
  const slots = new Set(sent.map((message) => message[3]));
  t.is(slots.size, MAX_REPLY_SLOTS);
  calls.answer([idOf(sent[5]), null]);
  await all[5];
  t.is(sent.length, MAX_REPLY_SLOTS + 1);
  const [freed, last] = [present(sent[5]), present(sent.at(-1))];
  t.is(last[3], freed[3], "it takes the freed slot");
  t.is(last[4], (freed[4] as number) + 1, "with the next number");
});

test("a change that waits for what is kept to be on disk leaves as soon as it is", (t) => {
  const log = { full: true, keep: () => undefined, durable: () => void (log.full = false) };
  const calls = new PendingCalls(log);
  const sent: Message[] = [];
  calls.resume((message) => sent.push(message));
  void calls.add(CHANGE, ["x"], Infinity);
  t.is(sent.length, 0);
  void calls.add(LOOK, [1], Infinity);
  calls.answer([idOf(sent[0]), null, 7, null]);
  t.is(present(sent[1])[1], CHANGE.number, "the answer to a flush says so");
  log.full = true;
  void calls.add(CHANGE, ["y"], Infinity);
  calls.disconnect();
  log.full = false;
  const again: Message[] = [];
  calls.resume((message) => again.push(message));
  t.deepEqual(
    again.map((message) => present(message[2] as string[])[0]),
    ["x", "y"],
    "so does the welcome of a server that was started anew",
  );
});

test("reads need no slot and never wait", (t) => {
  const calls = new PendingCalls(new ChangeLog());
  const sent: Message[] = [];
  calls.resume((message) => sent.push(message));
  for (let i = 0; i < 500; i++) void calls.add(LOOK, [1], Infinity);
  t.is(sent.length, 500);
  t.is(present(sent[0]).length, 3);
});

test("after a reconnect unanswered requests are sent again under the same slot and number", (t) => {
  const calls = new PendingCalls(new ChangeLog());
  const [before, after]: [Message[], Message[]] = [[], []];
  calls.resume((message) => before.push(message));
  void calls.add(CHANGE, ["x"], Infinity);
  void calls.add(LOOK, [1], Infinity);
  calls.disconnect();
  void calls.add(CHANGE, ["y"], Infinity);
  calls.resume((message) => after.push(message));
  t.is(before.length, 2);
  t.is(after.length, 3);
  t.deepEqual(present(after[0]).slice(0, 5), present(before[0]).slice(0, 5));
  const repeated = [before[0], after[0], after[2]].map((message) => present(message)[5]);
  t.deepEqual(repeated, [false, true, false]);
});

test("with a new session, changes of unknown fate fail and all else is asked again", async (t) => {
  const calls = new PendingCalls(new ChangeLog());
  const after: Message[] = [];
  calls.resume(() => undefined);
  const unknown = calls.add(CHANGE, [], Infinity);
  const release = calls.add(RELEASE, [[5]], Infinity);
  const read = calls.add(LOOK, [1], Infinity);
  calls.disconnect();
  const neverSent = calls.add(CHANGE, [], Infinity);
  calls.restart((message) => after.push(message));
  await t.throwsAsync(unknown, { code: "EIO" });
  t.is(await release, undefined);
  t.is(after.length, 2);
  calls.answer([idOf(after[0]), 1]);
  calls.answer([idOf(after[1]), null]);
  t.is(await read, 1);
  t.is(await neverSent, undefined);
});

test("a request past its deadline fails; its slot is taken until its fate is known", async (t) => {
  const calls = new PendingCalls(new ChangeLog());
  const sent: Message[] = [];
  calls.resume((message) => sent.push(message));
  const late = calls.add(CHANGE, [], 100);
  calls.expire(99);
  calls.expire(100);
  await t.throwsAsync(late, { code: "ETIMEDOUT" });
  void calls.add(CHANGE, [], 1000);
  t.not(present(sent[1])[3], present(sent[0])[3]);
  calls.disconnect();
  calls.resume((message) => sent.push(message));
  t.is(sent.length, 3, "only the living one is sent again");
});

test("a call that was given up before it left leaves a gap, and never a number twice", (t) => {
  const calls = new PendingCalls(new ChangeLog());
  const sent: Message[] = [];
  calls.add(CHANGE, [], 100).catch(() => undefined);
  calls.expire(100);
  void calls.add(CHANGE, [], 1000);
  calls.resume((message) => sent.push(message));
  t.deepEqual(present(sent[0]).slice(3), [0, 2, false]);
});

test.serial("a reply slot that comes back twice is a violation", async (t) => {
  const calls = new PendingCalls(new ChangeLog());
  const violation = await violationOf(() => {
    // An answer in the midst of sending, and then a failure to send.
    calls.resume((message) => {
      calls.answer([message[0], null]);
      throw new Error("broken on purpose");
    });
    return calls.add(CHANGE, [], Infinity);
  });
  t.regex(violation.message, /given back once/);
});
