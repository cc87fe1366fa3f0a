// dfs rm [-r] PATH…
import type { Command } from "commander";
import { type Attr, isDirectory } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import type { Ino, Name } from "../../domain/ids.ts";
import { CliError, EXIT } from "../terminal/exit-codes.ts";
import { type FileSystem, listDirectory, withFileSystem } from "../session/file-system.ts";
import { addMetaOption } from "../terminal/options.ts";
import { formatRemotePath, parseRemotePath, type RemotePath } from "../session/remote-path.ts";

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
  await withFileSystem(options.meta, async (fs) => {
    for (const remote of remotes) await removePath(fs, remote, options);
  });
}

async function removePath(fs: FileSystem, remote: RemotePath, options: RmOptions): Promise<void> {
  try {
    const attr = await fs.walker.resolve(remote, false);
    const { parent, name } = await fs.walker.resolveParent(remote);
    if (isDirectory(attr.mode) && options.recursive !== true) {
      const shown = formatRemotePath(remote);
      throw new CliError(EXIT.failure, `${shown} is a directory`, "Remove it with -r.");
    }
    await removeTree(fs, parent.ino, name, attr);
  } catch (error) {
    const missing = error instanceof FsError && error.code === "ENOENT";
    if (!(missing && options.force === true)) throw error;
  }
}

async function removeTree(fs: FileSystem, parent: Ino, name: Name, attr: Attr): Promise<void> {
  if (!isDirectory(attr.mode)) {
    await fs.vfs.unlink(fs.caller, parent, name);
    return;
  }
  for await (const entry of listDirectory(fs, attr)) {
    const child = entry.attr ?? (await fs.vfs.getattr(fs.caller, entry.ino));
    await removeTree(fs, attr.ino, entry.name, child);
  }
  await fs.vfs.rmdir(fs.caller, parent, name);
}
