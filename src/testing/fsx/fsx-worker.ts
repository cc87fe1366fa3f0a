// The process that touches files for fsx, as a function a request. A process of its own, because
// one that served the mount could not use it, and because Node has neither mmap nor fallocate.
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { FSX_PROGRAM } from "./fsx-program.ts";

/** A request that takes longer hangs. */
const REQUEST_TIMEOUT_MS = 120_000;
const NO_BYTES = Buffer.alloc(0);

export interface FsxAnswer {
  readonly value: number;
  readonly data: Buffer;
}

/** The system call failed. */
export class FsxErrno extends Error {
  readonly code: string;

  constructor(code: string, request: string) {
    super(`${code}: ${request}`);
    this.code = code;
  }
}

interface Waiting {
  readonly request: string;
  readonly resolve: (answer: FsxAnswer) => void;
  readonly reject: (error: Error) => void;
}

export class FsxWorker implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<void>;
  #waiting: Waiting | undefined;
  #chunks: Buffer[] = [];
  #receivedBytes = 0;
  #neededBytes = 0;
  #stderr = "";

  constructor() {
    this.#child = spawn("python3", ["-c", FSX_PROGRAM], { cwd: "/" });
    this.#child.stdout.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#child.stderr.on("data", (chunk: Buffer) => (this.#stderr += chunk.toString()));
    // Its end is told below.
    this.#child.stdin.on("error", () => undefined);
    this.#ended = new Promise((resolve) => {
      this.#child.on("error", (error) => this.#fail(error));
      this.#child.on("close", (code, signal) => {
        this.#fail(new Error(`the fsx process ended: ${code ?? signal ?? "?"} ${this.#stderr}`));
        resolve();
      });
    });
  }

  /** One at a time. @throws FsxErrno */
  async request(
    operation: string,
    file: string,
    numbers: readonly number[],
    payload: Uint8Array = NO_BYTES,
  ): Promise<FsxAnswer> {
    const line = [operation, file, ...numbers, payload.length].join(" ");
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<FsxAnswer>((resolve, reject) => {
        timer = setTimeout(() => this.#fail(new Error(`hangs: ${line}`)), REQUEST_TIMEOUT_MS);
        this.#waiting = { request: line, resolve, reject };
        this.#child.stdin.write(`${line}\n`);
        if (payload.length > 0) this.#child.stdin.write(payload);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  #receive(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#receivedBytes += chunk.length;
    if (this.#receivedBytes < this.#neededBytes) return;
    const all = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    this.#chunks = [all];
    const lineEnd = all.indexOf("\n");
    if (lineEnd < 0) return;
    const [value = "", length = "0"] = all.toString("latin1", 0, lineEnd).split(" ");
    this.#neededBytes = lineEnd + 1 + Number(length);
    if (all.length < this.#neededBytes) return;
    const data = Buffer.from(all.subarray(lineEnd + 1));
    this.#chunks = [];
    this.#receivedBytes = 0;
    this.#neededBytes = 0;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (/^-?\d+$/.test(value)) waiting?.resolve({ value: Number(value), data });
    else waiting?.reject(new FsxErrno(value, waiting.request));
  }

  #fail(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(error);
  }
}
