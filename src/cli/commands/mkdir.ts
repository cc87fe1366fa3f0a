// dfs mkdir [-p] PATH…
import { type Command, InvalidArgumentError } from "commander";
import { makeDirectories, makeDirectory } from "../../files/make-directories.ts";
import { withFileSystem } from "../session/file-system.ts";
import { addMetaOption } from "../terminal/options.ts";
import { readUmask } from "../process/umask.ts";
import { parseRemotePath } from "../session/remote-path.ts";

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
    const usualMode = 0o777 & ~(await readUmask());
    const { mode = usualMode, parents = false } = options;
    for (const remote of remotes) {
      if (parents) await makeDirectories(fs, remote, mode, usualMode);
      else await makeDirectory(fs, remote, mode);
    }
  });
}
