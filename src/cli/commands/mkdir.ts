// dfs mkdir [-p] PATH…
import { type Command, InvalidArgumentError } from "commander";
import { isDirectory } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { type FileSystem, withFileSystem } from "../session/file-system.ts";
import { addMetaOption } from "../terminal/options.ts";
import { readUmask } from "../process/umask.ts";
import { formatRemotePath, parseRemotePath, type RemotePath } from "../session/remote-path.ts";

interface MkdirOptions {
  meta?: string;
  parents?: boolean;
  mode?: number;
}

export function define(command: Command): void {
  command
    .argument("<path...>", "directories to make in the file system")
    .option("-p, --parents", "make missing parents; an existing directory is no error")
    .option("-m, --mode <octal>", "permissions, like 750", octalArgument)
    .action(mkdir);
  addMetaOption(command);
}

function octalArgument(text: string): number {
  if (!/^[0-7]{1,5}$/.test(text)) throw new InvalidArgumentError("A mode is octal, like 750.");
  return Number.parseInt(text, 8) & 0o7777;
}

async function mkdir(paths: string[], options: MkdirOptions): Promise<void> {
  const remotes = paths.map(parseRemotePath);
  await withFileSystem(options.meta, async (fs) => {
    for (const remote of remotes) {
      const first = options.parents === true ? 1 : remote.length;
      for (let depth = first; depth <= remote.length; depth += 1) {
        await makeOne(fs, remote.slice(0, depth), options, depth === remote.length);
      }
    }
  });
}

async function makeOne(
  fs: FileSystem,
  remote: RemotePath,
  options: MkdirOptions,
  isLast: boolean,
): Promise<void> {
  const { parent, name } = await fs.walker.resolveParent(remote);
  const mode = (isLast ? options.mode : undefined) ?? 0o777 & ~(await readUmask());
  try {
    await fs.vfs.mkdir(fs.caller, parent.ino, name, mode);
  } catch (error) {
    if (!(error instanceof FsError && error.code === "EEXIST")) throw error;
    if (options.parents === true && isDirectory((await fs.walker.resolve(remote)).mode)) return;
    throw new FsError("EEXIST", `${formatRemotePath(remote)} exists already`, { cause: error });
  }
}
