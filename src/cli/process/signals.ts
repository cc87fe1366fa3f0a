// SIGTERM and SIGINT as something to wait for, for the commands that run until they are told to
// stop.
import { sharedAbort } from "../../platform/flow/abort.ts";
import { CliError, EXIT } from "../terminal/exit-codes.ts";

export class StopSignals {
  #count = 0;
  readonly #waiting: { least: number; resolve: () => void }[] = [];

  constructor() {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        this.#count += 1;
        for (const { least, resolve } of this.#waiting) if (this.#count >= least) resolve();
      });
    }
  }

  get count(): number {
    return this.#count;
  }

  /** Resolves when `least` signals have come in all. */
  reached(least: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#count >= least) resolve();
      else this.#waiting.push({ least, resolve });
    });
  }
}

/**
 * Aborts at the first signal, so that a command can tidy up; the second ends the process at once.
 */
export function interruptSignal(): AbortSignal {
  const controller = sharedAbort();
  const signals = new StopSignals();
  void signals.reached(1).then(() => {
    controller.abort(new CliError(EXIT.failure, "interrupted"));
  });
  void signals.reached(2).then(() => process.exit(EXIT.failure));
  return controller.signal;
}

interface StoppableServer {
  close(): Promise<void>;
  /** Rejects when the server can't go on. */
  readonly failed?: Promise<never>;
}

/**
 * Runs a server until a signal; a second signal doesn't wait for its orderly close.
 * @throws what the server failed with, at once: whoever started it should start it again
 */
export async function serveUntilStopped(server: StoppableServer): Promise<void> {
  const signals = new StopSignals();
  await Promise.race([signals.reached(1), ...(server.failed === undefined ? [] : [server.failed])]);
  await Promise.race([server.close(), signals.reached(2)]);
}
