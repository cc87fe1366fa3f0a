// Runs POSIX cases in a directory, in one process, and says which went otherwise.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { judge, parseCase, type Answer, type Cases } from "./language.ts";
import { POSIX_PROGRAM } from "./program.ts";

export interface PosixRun {
  /** `title: line came to …` of each case that failed. */
  readonly failures: string[];
  readonly count: number;
  readonly tookMs: number;
}

/**
 * Runs each case in a new directory below `directory`, or all of them in it unless `fresh`. As
 * root, since the cases act as several users.
 */
export async function runPosixCases(
  directory: string,
  cases: Cases,
  { fresh = true } = {},
): Promise<PosixRun> {
  const beganMs = performance.now();
  const parsed = Object.entries(cases).map(([title, text]) => ({ title, steps: parseCase(text) }));
  const child = spawn("python3", ["-c", POSIX_PROGRAM, directory], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(parsed.map(({ steps }) => `${JSON.stringify({ fresh, steps })}\n`).join(""));
  const failures: string[] = [];
  let answered = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const current = parsed[answered];
    if (current === undefined) break;
    // The program is ours: what it prints is a list of answers.
    const failure = judge(current.steps, JSON.parse(line) as Answer[]);
    if (failure !== undefined) failures.push(`${current.title}: ${failure}`);
    answered += 1;
  }
  if (answered < parsed.length) failures.push(`the program ended after ${answered} cases`);
  return { failures, count: answered, tookMs: performance.now() - beganMs };
}
