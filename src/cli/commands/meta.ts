// dfs meta: the metadata server in the foreground.
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { startMetadataServer } from "../../app/metadata-server.ts";
import { createLog } from "../../observability/log.ts";
import { portArgument } from "../options.ts";
import { printLine } from "../output.ts";
import { reportReady } from "../readiness.ts";
import { serveUntilStopped } from "../signals.ts";

interface MetaOptions {
  data: string;
  host: string;
  port: number;
  durability: "ordered" | "strict";
}

export function define(command: Command): void {
  command
    .requiredOption("--data <dir>", "directory of the metadata; made when missing")
    .option("--port <port>", "port to listen on, 0 for any free one", portArgument, 7400)
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .addOption(
      new Option("--durability <mode>", "strict: acknowledge only what is on disk")
        .choices(["ordered", "strict"])
        .default("ordered"),
    )
    .action(meta);
}

async function meta(options: MetaOptions): Promise<void> {
  const { data, ...rest } = options;
  const log = createLog("meta");
  const server = await startMetadataServer({ ...rest, dataDir: resolve(data), log });
  printLine(`dfs metadata server at ${server.url}, data in ${resolve(data)}`);
  await reportReady({ url: server.url });
  await serveUntilStopped(server);
}
