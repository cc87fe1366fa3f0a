// dfs node: a storage node in the foreground.
import { resolve } from "node:path";
import type { Command } from "commander";
import { startStorageNode } from "../../app/storage-node.ts";
import { MAX_NODE_WEIGHT } from "../../domain/format.ts";
import { endOnUncaught } from "../../observability/fatal.ts";
import { createLog } from "../../observability/log.ts";
import { Credentials } from "../session/credentials.ts";
import {
  addMetaOption,
  integerArgument,
  portArgument,
  sizeArgument,
  spanArgument,
} from "../terminal/options.ts";
import { printLine } from "../terminal/output.ts";
import { reportReady } from "../process/readiness.ts";
import { serveUntilStopped } from "../process/signals.ts";

interface NodeOptions {
  meta?: string;
  data: string;
  host?: string;
  port?: number;
  zone?: string;
  capacity?: number;
  weight?: number;
  trashKeep?: number;
}

export function define(command: Command): void {
  addMetaOption(command)
    .requiredOption("--data <dir>", "directory of the shards; made when missing")
    .option("--port <port>", "port to listen on; later starts keep it", portArgument)
    .option("--host <address>", "address to listen on, and that clients connect to")
    .option("--zone <name>", "failure domain: nodes of one zone may fail together")
    .option("--capacity <size>", "how much it may hold, like 10G (else the disk's)", sizeArgument)
    .option("--weight <n>", "share of the data; 100 is usual", integerArgument(1, MAX_NODE_WEIGHT))
    .option(
      "--trash-keep <span>",
      "how long doubtful shards are kept, like 12h (else 1d)",
      spanArgument,
    )
    .action(node);
}

async function node(options: NodeOptions): Promise<void> {
  const { meta, data, capacity, trashKeep, ...rest } = options;
  const log = createLog("node");
  endOnUncaught(log);
  const { url } = (await Credentials.open()).connection(meta);
  const started = await startStorageNode({
    ...rest,
    ...(capacity === undefined ? {} : { capacityBytes: capacity }),
    ...(trashKeep === undefined ? {} : { trashKeepMs: trashKeep }),
    metaUrl: url,
    dataDir: resolve(data),
    log,
  });
  printLine(`dfs storage node ${started.id} at ${started.url}, data in ${resolve(data)}`);
  await reportReady({ id: started.id, url: started.url });
  await serveUntilStopped(started);
}
