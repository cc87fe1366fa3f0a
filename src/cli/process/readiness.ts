// A daemon's word to the process that started it: ready, or failed and why. Over Node's IPC
// channel, which is let go of right after, so that the starter can leave.
import { describeError, exitCodeOf, type ExitCode } from "../terminal/exit-codes.ts";

export interface ReadyMessage {
  dfs: "ready";
  details: Record<string, string>;
}

export interface FailedMessage {
  dfs: "failed";
  exitCode: ExitCode;
  /** As for stderr, without the leading "dfs: ". */
  reason: string;
}

export type DaemonMessage = ReadyMessage | FailedMessage;

function send(message: DaemonMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) {
      resolve();
      return;
    }
    process.send(message, undefined, undefined, () => {
      // The starter may have given up already; then nobody needs the message.
      if (process.connected) process.disconnect();
      resolve();
    });
  });
}

/** `details`: what the starter must know and could not, such as the port that was taken. */
export async function reportReady(details: Record<string, string>): Promise<void> {
  await send({ dfs: "ready", details });
}

export async function reportFailure(error: unknown): Promise<void> {
  const reason = describeError(error).replace(/^dfs: /, "");
  await send({ dfs: "failed", exitCode: exitCodeOf(error), reason });
}
