// dfs meta restore FILE, dfs meta verify FILE: a copy becomes a metadata server's data, or is only
// looked at.
import { resolve } from "node:path";
import type { Command } from "commander";
import { checkCopy, restoreFile } from "../../../app/metadata-copies.ts";
import { addJsonOption } from "../../terminal/options.ts";
import { printJson, printLine } from "../../terminal/output.ts";
import { describeCopy } from "./backup.ts";

interface RestoreOptions {
  data: string;
  json?: boolean;
}

export function defineRestore(command: Command): void {
  command
    .description("make a copy the metadata of a server that isn't running")
    .argument("<file>", "the copy")
    .requiredOption("--data <dir>", "the server's data directory; it must hold no metadata yet")
    .action(restore);
  addJsonOption(command);
}

export function defineVerify(command: Command): void {
  command
    .description("check a copy's checksums, and tell what it is of")
    .argument("<file>", "the copy")
    .action(verify);
  addJsonOption(command);
}

async function restore(file: string, options: RestoreOptions): Promise<void> {
  const dataDir = resolve(options.data);
  const facts = await restoreFile(resolve(file), dataDir);
  if (options.json === true) {
    printJson(facts);
    return;
  }
  printLine(describeCopy(facts));
  for (const line of afterRestore(dataDir)) printLine(line);
}

/** What people must know who have made a copy a server's metadata, by whichever command. */
export function describeNewLife(dataDir: string): string[] {
  return [
    `restored into ${dataDir}`,
    "Files are as they were then; what was written since is not in them. So are users, passwords",
    "and logins: revoke again what was revoked since (dfs user passwd, dfs user rm).",
    `Start the server: dfs meta --data ${dataDir}, at the address that nodes and mounts know.`,
    "Mounts go on by themselves. Nothing is deleted for not being known until all nodes were",
    "looked at: `dfs status` tells when that is done.",
  ];
}

/** Nobody has looked at the nodes yet, as dfs recover does. */
export function afterRestore(dataDir: string): string[] {
  return [
    ...describeNewLife(dataDir),
    "What was deleted since is in the nodes' trash, for a day (dfs node --trash-keep). Bring it",
    "back within a day, and look for damage: dfs fsck --repair",
  ];
}

async function verify(file: string, options: { json?: boolean }): Promise<void> {
  const facts = await checkCopy(resolve(file));
  if (options.json === true) printJson(facts);
  else printLine(describeCopy(facts));
}
