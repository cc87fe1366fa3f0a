// A storage node as a process of its own, for tests that kill it. Run as the child it starts the
// node of its two arguments (metadata server's URL, data directory) and says where it is.
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { NodeId } from "../../domain/ids.ts";
import { startStorageNode } from "../../app/storage-node.ts";
import { silentLog } from "../../observability/log.ts";

export interface NodeProcess {
  id: NodeId;
  url: string;
  /** SIGKILL, or another signal; resolves when the process is gone. */
  kill: (signal?: NodeJS.Signals) => Promise<void>;
}

interface Announcement {
  id?: NodeId;
  url?: string;
  error?: string;
}

/** @throws Error with the node's reason when it doesn't start */
export async function startNodeProcess(metaUrl: string, dataDir: string): Promise<NodeProcess> {
  const child = fork(fileURLToPath(import.meta.url), [metaUrl, dataDir]);
  const [{ id, url = "", error }] = (await once(child, "message")) as [Announcement];
  if (error !== undefined || id === undefined) {
    await ended(child);
    throw new Error(error ?? "the node didn't say who it is");
  }
  const kill = async (signal: NodeJS.Signals = "SIGKILL"): Promise<void> => {
    child.kill(signal);
    await ended(child);
  };
  return { id, url, kill };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

async function runAsChild(metaUrl: string, dataDir: string): Promise<void> {
  const announce = (message: Announcement): void => void process.send?.(message);
  try {
    const node = await startStorageNode({ metaUrl, dataDir, log: silentLog });
    announce({ id: node.id, url: node.url });
    process.on("SIGTERM", () => void node.close().then(() => process.exit(0)));
  } catch (error) {
    announce({ error: String(error) });
    process.disconnect();
  }
}

const [, script, metaUrl, dataDir] = process.argv;
const isChild = script === fileURLToPath(import.meta.url);
if (isChild && metaUrl !== undefined && dataDir !== undefined) await runAsChild(metaUrl, dataDir);
