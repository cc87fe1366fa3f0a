// dfs get REMOTE LOCAL
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { isDirectory } from "../../domain/attributes.ts";
import { displayName } from "../../domain/name.ts";
import { CopyOut } from "../session/copy-out.ts";
import { CliError, EXIT } from "../terminal/exit-codes.ts";
import { withFileSystem } from "../session/file-system.ts";
import { addJsonOption, addMetaOption } from "../terminal/options.ts";
import { printJson } from "../terminal/output.ts";
import { Progress } from "../terminal/progress.ts";
import { type FilePath, formatPath } from "../../files/file-path.ts";
import { parseRemotePath } from "../session/remote-path.ts";
import { interruptSignal } from "../process/signals.ts";

interface GetOptions {
  meta?: string;
  json?: boolean;
  recursive?: boolean;
}

export function define(command: Command): void {
  command
    .argument("<remote>", "path in the file system")
    .argument("<local>", 'local file or directory, or "-" for stdout')
    .option("-r, --recursive", "copy directories with all they contain")
    .action(get);
  addJsonOption(addMetaOption(command));
}

async function get(remote: string, local: string, options: GetOptions): Promise<void> {
  const path = parseRemotePath(remote);
  if (local === "-" && options.json === true) {
    throw new CliError(EXIT.usage, "--json and the data would both go to stdout");
  }
  const signal = interruptSignal();
  const totals = await withFileSystem(options.meta, async (fs) => {
    const attr = await fs.walker.resolve(path);
    if (isDirectory(attr.mode) && (options.recursive !== true || local === "-")) {
      const advice = local === "-" ? "Name a file." : "Copy it with -r.";
      throw new CliError(EXIT.usage, `${formatPath(path)} is a directory`, advice);
    }
    const copy = new CopyOut(fs, new Progress(), signal);
    if (local === "-") await copy.toStream(attr, process.stdout);
    else await copy.tree(attr, await targetPath(local, path));
    return copy.totals;
  });
  if (options.json === true) printJson(totals);
}

/** Into `local` when it is a directory, under the remote name. */
async function targetPath(local: string, remote: FilePath): Promise<Buffer> {
  const full = resolve(local);
  const isLocalDirectory = await stat(full).then(
    (info) => info.isDirectory(),
    () => local.endsWith("/"),
  );
  if (!isLocalDirectory) return Buffer.from(full);
  const name = remote.at(-1);
  return Buffer.from(name === undefined ? full : join(full, displayName(name)));
}
