// dfs meta backup [FILE]: a copy of the metadata, taken while the server serves.
import { resolve } from "node:path";
import type { Command } from "commander";
import { saveCopy, sendCopy } from "../../../app/metadata-copies.ts";
import type { CopyFacts } from "../../../meta/copies/copy-reader.ts";
import { AdminClient } from "../../../protocol/admin/admin-client.ts";
import { requireLogin } from "../../session/credentials.ts";
import { CliError, EXIT } from "../../terminal/exit-codes.ts";
import { addJsonOption, addMetaOption } from "../../terminal/options.ts";
import { printJson, printLine } from "../../terminal/output.ts";
import { formatBytes } from "../../terminal/sizes.ts";

interface BackupOptions {
  meta?: string;
  json?: boolean;
}

export function defineBackup(command: Command): void {
  command
    .description("copy the metadata to FILE, or (without FILE) on the server and its nodes, now")
    .argument("[file]", 'where to, "-" for stdout; replaced once the copy is whole')
    .action(backup);
  addJsonOption(addMetaOption(command));
}

async function backup(file: string | undefined, options: BackupOptions): Promise<void> {
  const { url, token } = await requireLogin(options.meta);
  const admin = new AdminClient(url, token);
  if (file === undefined) {
    await onServer(admin, options);
    return;
  }
  if (file === "-" && options.json === true) {
    throw new CliError(EXIT.usage, "--json and the copy would both go to stdout");
  }
  const pieces = admin.metadataCopy();
  if (file === "-") {
    // Whatever is told goes where it doesn't mix with the copy.
    process.stderr.write(`${describeCopy(await sendCopy(pieces, process.stdout))}\n`);
    return;
  }
  const path = resolve(file);
  const facts = await saveCopy(pieces, path);
  if (options.json === true) printJson({ ...facts, file: path });
  else printLine(`${describeCopy(facts)}, in ${path}`);
}

async function onServer(admin: AdminClient, options: BackupOptions): Promise<void> {
  const made = await admin.backup();
  if (options.json === true) printJson(made);
  else {
    printLine("the metadata server has copied its metadata, to its own disk");
    if (made.nodesMs === undefined) {
      throw new CliError(
        EXIT.degraded,
        "no copy is on storage nodes, since none has joined",
        "Start some (dfs node), and do it again.",
      );
    }
    printLine("and, coded, to the storage nodes, from where `dfs recover` finds it");
  }
}

export function describeCopy({ clusterId, changes, sizeBytes, madeMs }: CopyFacts): string {
  const when = new Date(madeMs).toISOString();
  return (
    `metadata of cluster ${clusterId} as of ${when}: ${changes} records, ` +
    `${formatBytes(sizeBytes)}, checksums right`
  );
}
