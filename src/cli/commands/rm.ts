// dfs rm [-r] PATH…
import type { Command } from "commander";
import { isDirectory } from "../../domain/attributes.ts";
import { isFsError } from "../../domain/errno.ts";
import { CliError, EXIT } from "../terminal/exit-codes.ts";
import { type FileSystem, withFileSystem } from "../session/file-system.ts";
import { interruptSignal } from "../process/signals.ts";
import { addMetaOption } from "../terminal/options.ts";
import { type FilePath, formatPath } from "../../files/file-path.ts";
import { removeTree } from "../../files/remove-tree.ts";
import { parseRemotePath } from "../session/remote-path.ts";

interface RmOptions {
  meta?: string;
  recursive?: boolean;
  force?: boolean;
}

export function define(command: Command): void {
  command
    .argument("<path...>", "files in the file system")
    .option("-r, --recursive", "remove directories with all they contain")
    .option("-f, --force", "a missing file is no error")
    .action(rm);
  addMetaOption(command);
}

async function rm(paths: string[], options: RmOptions): Promise<void> {
  const remotes = paths.map(parseRemotePath);
  const signal = interruptSignal();
  await withFileSystem(options.meta, async (fs) => {
    for (const remote of remotes) await removePath(fs, remote, options, signal);
  });
}

async function removePath(
  fs: FileSystem,
  remote: FilePath,
  options: RmOptions,
  signal: AbortSignal,
): Promise<void> {
  try {
    const attr = await fs.walker.resolve(remote, false);
    const { parent, name } = await fs.walker.resolveParent(remote);
    if (isDirectory(attr.mode) && options.recursive !== true) {
      const shown = formatPath(remote);
      throw new CliError(EXIT.failure, `${shown} is a directory`, "Remove it with -r.");
    }
    await removeTree(fs, parent.ino, { name, attr }, signal);
  } catch (error) {
    if (!(isFsError(error, "ENOENT") && options.force === true)) throw error;
  }
}
