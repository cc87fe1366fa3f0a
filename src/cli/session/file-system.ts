// What put, get, ls and the others share: a client session for one command, and its end.
import type { ClientSession } from "../../app/client-session.ts";
import type { Attr, Caller } from "../../domain/attributes.ts";
import type { DirEntry } from "../../protocol/meta/meta-service.ts";
import { createLog, silentLog } from "../../observability/log.ts";
import type { Vfs } from "../../vfs/vfs.ts";
import { requireLogin } from "./credentials.ts";
import { callerOfProcess, PathWalker } from "./remote-path.ts";

export interface FileSystem {
  readonly session: ClientSession;
  readonly vfs: Vfs;
  readonly caller: Caller;
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
  const caller = callerOfProcess();
  let result: T;
  try {
    const walker = new PathWalker(session.vfs, caller);
    result = await work({ session, vfs: session.vfs, caller, walker });
  } catch (error) {
    // The first failure is the one to tell.
    await session.close().catch(() => undefined);
    throw error;
  }
  await session.close();
  return result;
}

/** Entries of a directory without "." and "..", in the order of the directory. */
export async function* listDirectory(fs: FileSystem, directory: Attr): AsyncGenerator<DirEntry> {
  const fh = await fs.vfs.opendir(fs.caller, directory.ino);
  try {
    let cursor = 0;
    for (;;) {
      const page = await fs.vfs.readdir(fh, cursor, true);
      const last = page.at(-1);
      if (last === undefined) return;
      for (const entry of page) {
        if (entry.name !== "." && entry.name !== "..") yield entry;
      }
      cursor = last.cookie;
    }
  } finally {
    fs.vfs.releasedir(fh);
  }
}
