import { spawnSync } from "node:child_process";
import test, { type ExecutionContext } from "ava";
import { FATAL_EXIT_CODE } from "./fatal.ts";

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly lines: readonly string[];
}

/** Runs `body` as a program whose exceptions end it. */
function run(body: string): Ended {
  const at = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);
  const program = `
    import { endOnUncaught } from ${at("fatal.js")};
    import { createLog } from ${at("log.js")};
    import { invariant } from ${at("../domain/invariant.js")};
    endOnUncaught(createLog("test"));
    ${body}`;
  const args = ["--input-type=module", "--eval", program];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  return { status, stdout, lines: stderr.split("\n").filter((line) => line !== "") };
}

function assertFatal(t: ExecutionContext, ended: Ended, error: Record<string, unknown>): void {
  t.is(ended.status, FATAL_EXIT_CODE);
  t.is(ended.stdout, "");
  t.is(ended.lines.length, 1, ended.lines.join("\n"));
  const line = JSON.parse(ended.lines[0] ?? "") as { level: number; err: Record<string, unknown> };
  t.is(line.level, 60);
  t.like(line.err, error);
  t.regex(String(line.err["stack"]), /\n {4}at /);
}

test("a broken invariant ends the process with one fatal line and its exit code", (t) => {
  const ended = run(`invariant(1 > 2, "the sky fell", { heightM: 0 });`);
  assertFatal(t, ended, {
    type: "InvariantViolation",
    message: "the sky fell",
    details: { heightM: 0 },
  });
});

test("nobody who catches or awaits a broken invariant runs on", (t) => {
  const ended = run(`
    const say = () => console.log("still here");
    const broken = async () => { await null; invariant(false, "the sky fell"); };
    setInterval(say, 1);
    await broken().then(say, say);
    say();`);
  assertFatal(t, ended, { message: "the sky fell" });
});

test("a caught violation ends the process as soon as its turn is over", (t) => {
  const ended = run(`
    try { invariant(false, "the sky fell"); } catch {}
    await null;
    console.log("still here");`);
  assertFatal(t, ended, { message: "the sky fell" });
});

test("an unhandled rejection ends the process likewise", (t) => {
  const ended = run(`
    setInterval(() => undefined, 1000);
    void Promise.reject(new TypeError("nobody looks"));`);
  assertFatal(t, ended, { type: "TypeError", message: "nobody looks" });
});
