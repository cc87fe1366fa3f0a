import test from "ava";
import { ERRNO, FsError } from "../../domain/errno.ts";
import { invariant } from "../../domain/invariant.ts";
import { silentLog } from "../../observability/log.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { violationOf } from "../../testing/violation.ts";
import { Answers } from "./answers.ts";

function setUp() {
  const clock = new FakeClock();
  const answers = new Answers(clock, silentLog, 1000);
  const given: (number | string)[] = [];
  const reply = {
    done: (value: string) => given.push(value),
    failed: (result: number) => given.push(result),
    late: (value: string) => given.push(`late ${value}`),
  };
  return { clock, answers, given, reply };
}

test("an outcome is answered once, at once or later, with its errno when it failed", async (t) => {
  const { clock, answers, given, reply } = setUp();
  answers.run("now", () => "value", reply);
  answers.run("later", () => Promise.resolve("promised"), reply);
  answers.run("refused", () => Promise.reject(new FsError("ENOENT", "")), reply);
  answers.run(
    "broken",
    () => {
      throw new TypeError("a bug");
    },
    reply,
  );
  await answers.idle();
  await clock.advance(5000);
  t.deepEqual(given, ["value", -ERRNO.EIO, "promised", -ERRNO.ENOENT]);
});

test("an answer that can't be given is an error, not silence", async (t) => {
  const { answers, given, reply } = setUp();
  const done = (): void => {
    throw new FsError("ERANGE", "");
  };
  answers.run("unfit", () => "value", { ...reply, done });
  await answers.idle();
  t.deepEqual(given, [-ERRNO.ERANGE]);
});

test("what takes too long is answered ETIMEDOUT, and its late outcome given back", async (t) => {
  const { clock, answers, given, reply } = setUp();
  let finish: (value: string) => void = () => undefined;
  const work = new Promise<string>((resolve) => (finish = resolve));
  answers.run("slow", () => work, reply);
  await clock.advance(999);
  t.deepEqual(given, []);
  await clock.advance(1);
  await answers.idle();
  t.deepEqual(given, [-ERRNO.ETIMEDOUT]);
  finish("handle");
  await work;
  t.deepEqual(given, [-ERRNO.ETIMEDOUT, "late handle"]);
});

test("a broken invariant is never an answer, at once or later", async (t) => {
  const { answers, given, reply } = setUp();
  const broken = (): string => {
    invariant(t.title === "", "broken");
    return "";
  };
  await violationOf(() => answers.run("now", broken, reply));
  await violationOf(() => answers.run("later", async () => broken(), reply));
  t.deepEqual(given, []);
});
