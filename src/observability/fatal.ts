// The end of a process that can't go on: one line, one exit code. Broken invariants and whatever
// else nobody handles come here; expected failures never do.
import type { Log } from "./log.ts";

/** EX_SOFTWARE of sysexits(3): a bug of ours, and no state of the world that a retry changes. */
export const FATAL_EXIT_CODE = 70;

/**
 * From now on an uncaught exception or an unhandled rejection ends the process at once with one
 * fatal line. Nothing is flushed or closed: the state may be wrong, and what was acknowledged
 * survives. `letGo` frees those who would otherwise wait for this process: exiting waits for its
 * thread pool, which may wait for a disk or the kernel.
 */
export function endOnUncaught(log: Log, letGo: () => void = () => undefined): void {
  // Node hands unhandled rejections over as uncaught exceptions. First in line: an earlier handler
  // knows less than this log.
  process.prependListener("uncaughtException", (error) => {
    try {
      log.fatal({ err: error }, "a bug: this process can't go on");
      letGo();
    } finally {
      process.exit(FATAL_EXIT_CODE);
    }
  });
}
