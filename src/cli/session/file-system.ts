// What put, get, ls and the others share: a client session for one command, and its end.
import { systemRandom } from "../../platform/random.ts";
import type { ClientSession } from "../../app/client-session.ts";
import type { Caller } from "../../domain/attributes.ts";
import type { FileAccess } from "../../files/file-access.ts";
import { PathWalker } from "../../files/path-walker.ts";
import { createLog, silentLog } from "../../observability/log.ts";
import { requireLogin } from "./credentials.ts";

export interface FileSystem extends FileAccess {
  readonly session: ClientSession;
  readonly walker: PathWalker;
}

/**
 * Logs in, runs `work` and closes the session, whatever happened. What was written is committed
 * when this resolves.
 */
export async function withFileSystem<T>(
  meta: string | undefined,
  work: (fs: FileSystem) => Promise<T>,
): Promise<T> {
  const { url, token } = await requireLogin(meta);
  // Loaded only now: a usage error or a missing login needs none of it.
  const { openClientSession } = await import("../../app/client-session.ts");
  const log = process.env["DFS_LOG"] === undefined ? silentLog : createLog("dfs");
  const session = await openClientSession({ url, token, clientName: "dfs command", log });
  const access: FileAccess = { vfs: session.vfs, caller: callerOfProcess(), random: systemRandom };
  let result: T;
  try {
    result = await work({ ...access, session, walker: new PathWalker(access) });
  } catch (error) {
    // The first failure is the one to tell.
    await session.close().catch(() => undefined);
    throw error;
  }
  await session.close();
  return result;
}

/** The process's own identity, on whose behalf commands act. */
function callerOfProcess(): Caller {
  return {
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    groups: process.getgroups?.() ?? [],
  };
}
