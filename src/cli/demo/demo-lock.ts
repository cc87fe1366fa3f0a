// One command at a time changes a demo cluster. The lock is a listening socket in Linux's abstract
// namespace (unix(7)): the kernel frees it with its owner, so that no lock outlives a crash.
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:net";
import { CliError, EXIT } from "../terminal/exit-codes.ts";

/** Longer than any orderly command of a demo takes. */
const LOCK_TIMEOUT_MS = 60_000;
const RETRY_INTERVAL_MS = 25;

/** @throws CliError (retryable) when another command holds the lock for longer than any should */
export async function withDemoLock<T>(directory: string, work: () => Promise<T>): Promise<T> {
  const digest = createHash("sha256").update(directory).digest("hex").slice(0, 32);
  const deadlineMs = performance.now() + LOCK_TIMEOUT_MS;
  let lock: Server | undefined;
  while ((lock = await tryListen(`\0dfs-demo-${digest}`)) === undefined) {
    if (performance.now() > deadlineMs) {
      throw new CliError(EXIT.retryable, `another command is changing the cluster in ${directory}`);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_INTERVAL_MS));
  }
  try {
    return await work();
  } finally {
    lock.close();
  }
}

function tryListen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen({ path }, () => resolve(server));
  });
}
