// The model's steps carried out in a directory, local or mounted, by a process of its own: one that
// served the mount could not use it.
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { DIRECTORY_PROGRAM } from "./directory-program.ts";
import {
  bytesOf,
  type FileContent,
  type Outcome,
  type Step,
  type StepSystem,
  type Windows,
} from "./steps.ts";

/** A step that takes longer hangs. */
const STEP_TIMEOUT_MS = 120_000;

type Request =
  | Step
  | (Extract<Step, { op: "write" }> & { data: string })
  | { op: "root"; path: string; windows: Windows; make: boolean }
  | { op: "forget" };

export class DirectorySystem implements StepSystem, AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string, undefined>;
  readonly #windows: Windows;
  #stderr = "";

  constructor(windows: Windows) {
    this.#windows = windows;
    this.#child = spawn("python3", ["-u", "-c", DIRECTORY_PROGRAM], { cwd: "/" });
    this.#child.stderr.on("data", (chunk: Buffer) => (this.#stderr += chunk.toString()));
    // Its end is told by the answers' end.
    this.#child.stdin.on("error", () => undefined);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Begins anew in a directory; it is made when it is to be fresh. */
  async enter(path: string, make: boolean): Promise<void> {
    const outcome = await this.#ask({ op: "root", path, windows: this.#windows, make });
    if ("errno" in outcome) throw new Error(`${path}: ${outcome.errno}`);
  }

  /** Closes all files, and passes over what is told. */
  async forget(): Promise<void> {
    await this.#ask({ op: "forget" });
  }

  run(step: Step): Promise<Outcome> {
    if (step.op !== "write") return this.#ask(step);
    return this.#ask({ ...step, data: bytesOf(step).toString("latin1") });
  }

  async content(path: string): Promise<FileContent> {
    const outcome = await this.#ask({ op: "content", path });
    if ("errno" in outcome) throw new Error(`${path}: ${outcome.errno}`);
    return outcome.value as FileContent; // what this operation gives
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }

  async #ask(request: Request): Promise<Outcome> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`hangs: ${JSON.stringify(request).slice(0, 200)}`));
      }, STEP_TIMEOUT_MS);
    });
    try {
      const line = await Promise.race([this.#lines.next(), late]);
      if (line.done === true) throw new Error(`the process ended: ${this.#stderr}`);
      return JSON.parse(line.value) as Outcome; // the program's own form
    } finally {
      clearTimeout(timer);
    }
  }
}
