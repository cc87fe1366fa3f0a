// dfs put LOCAL REMOTE
import { stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { addAbortSignal } from "node:stream";
import type { Command } from "commander";
import { isDirectory } from "../../domain/attributes.ts";
import { CopyIn, type CopyTotals } from "../session/copy-in.ts";
import { CliError, EXIT } from "../terminal/exit-codes.ts";
import { type FileSystem, withFileSystem } from "../session/file-system.ts";
import { addJsonOption, addMetaOption } from "../terminal/options.ts";
import { printJson } from "../terminal/output.ts";
import { Progress } from "../terminal/progress.ts";
import { interruptSignal } from "../process/signals.ts";
import { readUmask } from "../process/umask.ts";
import type { FilePath } from "../../files/file-path.ts";
import { parseRemotePath } from "../session/remote-path.ts";

interface PutOptions {
  meta?: string;
  json?: boolean;
  recursive?: boolean;
}

export function define(command: Command): void {
  command
    .argument("<local>", 'local file, or "-" for stdin')
    .argument("<remote>", "path in the file system; into it when it is a directory")
    .option("-r, --recursive", "copy directories with all they contain")
    .action(put);
  addJsonOption(addMetaOption(command));
}

async function put(local: string, remote: string, options: PutOptions): Promise<void> {
  const given = parseRemotePath(remote);
  const source = local === "-" ? undefined : await inspect(local, options.recursive === true);
  const signal = interruptSignal();
  const totals = await withFileSystem(options.meta, async (fs) => {
    const target = await targetPath(fs, given, remote.endsWith("/"), local);
    const { parent, name } = await fs.walker.resolveParent(target);
    const copy = new CopyIn(fs, new Progress(), signal);
    if (source === undefined) {
      const mode = 0o666 & ~(await readUmask());
      // Bytes, since no encoding is set.
      const stdin = addAbortSignal(signal, process.stdin) as AsyncIterable<Uint8Array>;
      await copy.stream(stdin, { parent: parent.ino, name, mode });
    } else if (source.isDirectory) {
      await copy.tree(source.path, parent.ino, name);
    } else {
      await copy.file(source.path, parent.ino, name);
    }
    return copy.totals;
  });
  if (options.json === true) printJson(totals satisfies CopyTotals);
}

async function inspect(
  local: string,
  recursive: boolean,
): Promise<{ path: Buffer; isDirectory: boolean }> {
  const info = await stat(local);
  if (info.isDirectory() && !recursive) {
    throw new CliError(EXIT.usage, `${local} is a directory`, "Copy it with -r.");
  }
  return { path: Buffer.from(resolve(local)), isDirectory: info.isDirectory() };
}

async function targetPath(
  fs: FileSystem,
  given: FilePath,
  mustBeDirectory: boolean,
  local: string,
): Promise<FilePath> {
  const existing = await fs.walker.find(given);
  const intoDirectory = existing !== undefined && isDirectory(existing.mode);
  if (!intoDirectory && !mustBeDirectory) return given;
  if (!intoDirectory) {
    throw new CliError(EXIT.notFound, "the target directory does not exist", "Make it: dfs mkdir");
  }
  if (local === "-") {
    throw new CliError(EXIT.usage, "the target is a directory", "Give stdin's data a file name.");
  }
  return [...given, ...parseRemotePath(`/${basename(resolve(local))}`)];
}
