// A process of its own that runs commands for one that has files open in a mount. A fork inherits
// those files, and its exec closes them: that flushes them, which waits for a metadata server that
// the very command is to start, and whoever spawns waits for the exec.
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { CommandResult, RunOptions } from "./run-dfs.ts";

const PROCESS = fileURLToPath(new URL("command-hand-process.js", import.meta.url));

export interface Command {
  readonly id: number;
  readonly args: readonly string[];
  readonly options: RunOptions;
}

export interface CommandEnd {
  readonly id: number;
  /** Absent where the program could not be run at all. */
  readonly result?: CommandResult;
  readonly error?: string;
}

export class CommandHand {
  readonly #process: ChildProcess = fork(PROCESS, { serialization: "advanced" });
  readonly #waiting = new Map<number, (end: CommandEnd) => void>();
  #lastId = 0;

  constructor() {
    this.#process.on("message", (end: CommandEnd) => {
      this.#waiting.get(end.id)?.(end);
      this.#waiting.delete(end.id);
    });
    this.#process.on("exit", () => {
      for (const [id, end] of this.#waiting) end({ id, error: "the process for commands is gone" });
    });
  }

  /** As runDfs. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    const id = ++this.#lastId;
    const command: Command = { id, args, options };
    const { result, error } = await new Promise<CommandEnd>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#process.send(command);
    });
    if (result === undefined) throw new Error(error);
    return result;
  }

  close(): void {
    this.#process.disconnect();
  }
}
