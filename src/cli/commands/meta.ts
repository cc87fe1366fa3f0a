// dfs meta: the metadata server in the foreground; below it the commands for its copies.
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import type { JobTimings } from "../../app/background-jobs.ts";
import { startMetadataServer } from "../../app/metadata-server.ts";
import { endOnUncaught } from "../../observability/fatal.ts";
import { createLog } from "../../observability/log.ts";
import { CliError, EXIT } from "../terminal/exit-codes.ts";
import { integerArgument, portArgument } from "../terminal/options.ts";
import { printLine } from "../terminal/output.ts";
import { reportReady } from "../process/readiness.ts";
import { serveUntilStopped } from "../process/signals.ts";
import { defineBackup } from "./metadata/backup.ts";
import { defineRestore, defineVerify } from "./metadata/restore.ts";

interface MetaOptions {
  data?: string;
  host: string;
  port: number;
  durability: "ordered" | "strict";
  acceptLoss?: boolean;
  tidyInterval?: number;
  packAfter?: number;
  gcGrace?: number;
  backupEvery: number;
  backupKeep: number;
}

const MAX_BACKUP_MINUTES = 60 * 24 * 7;
const MAX_BACKUPS_KEPT = 1000;

const MAX_PACE_MS = 86_400_000;

/**
 * Paces of the background jobs, that tests and measurements set; the environment reaches a demo's,
 * too.
 */
const PACES = [
  ["--tidy-interval <ms>", "pause between walks of compaction and packing", "DFS_TIDY_INTERVAL_MS"],
  ["--pack-after <ms>", "age of tiny data that is packed", "DFS_PACK_AFTER_MS"],
  ["--gc-grace <ms>", "how long data nobody cites is kept for readers", "DFS_GC_GRACE_MS"],
] as const;

export function define(command: Command): void {
  // As the program does: --data of `dfs meta restore` isn't this command's.
  command.enablePositionalOptions();
  defineBackup(command.command("backup"));
  defineRestore(command.command("restore"));
  defineVerify(command.command("verify"));
  command
    .option("--data <dir>", "directory of the metadata; made when missing (must be given)")
    .option("--port <port>", "port to listen on, 0 for any free one", portArgument, 7400)
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .addOption(
      new Option("--durability <mode>", "strict: acknowledge only what is on disk")
        .choices(["ordered", "strict"])
        .default("ordered"),
    )
    .option(
      "--accept-loss",
      "where the metadata lost what had been on disk: go on from where it is whole",
    )
    .option(
      "--backup-every <minutes>",
      "time between copies of the metadata, 0 for none",
      integerArgument(0, MAX_BACKUP_MINUTES),
      60,
    )
    .option(
      "--backup-keep <n>",
      "copies kept in the data directory; storage nodes keep the newest two",
      integerArgument(1, MAX_BACKUPS_KEPT),
      8,
    )
    .action(meta);
  for (const [flags, summary, variable] of PACES) {
    const parse = integerArgument(0, MAX_PACE_MS);
    command.addOption(new Option(flags, summary).env(variable).argParser(parse).hideHelp());
  }
}

async function meta(options: MetaOptions): Promise<void> {
  const { data, tidyInterval, packAfter, gcGrace, backupEvery, backupKeep, ...rest } = options;
  // It isn't commander's business: the commands below have no such option, or their own.
  if (data === undefined) throw new CliError(EXIT.usage, "name the data directory with --data DIR");
  const backups = { everyMs: backupEvery * 60_000, keep: backupKeep };
  const timings: JobTimings = {
    ...(tidyInterval === undefined ? {} : { tidyIntervalMs: tidyInterval }),
    ...(packAfter === undefined ? {} : { packAfterMs: packAfter }),
    ...(gcGrace === undefined ? {} : { deadSliceGraceMs: gcGrace }),
  };
  const log = createLog("meta");
  endOnUncaught(log);
  const server = await startMetadataServer({
    ...rest,
    timings,
    backups,
    dataDir: resolve(data),
    log,
  });
  printLine(`dfs metadata server at ${server.url}, data in ${resolve(data)}`);
  await reportReady({ url: server.url });
  await serveUntilStopped(server);
}
