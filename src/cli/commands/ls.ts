// dfs ls [PATH]
import type { Command } from "commander";
import {
  type Attr,
  isDirectory,
  isSymlink,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from "../../domain/attributes.ts";
import { displayName } from "../../domain/name.ts";
import { type FileSystem, withFileSystem } from "../session/file-system.ts";
import { addJsonOption, addMetaOption } from "../terminal/options.ts";
import { formatTable, printable, printJson, printLine } from "../terminal/output.ts";
import { formatPath } from "../../files/file-path.ts";
import { listDirectory } from "../../files/list-directory.ts";
import { parseRemotePath } from "../session/remote-path.ts";

interface LsOptions {
  meta?: string;
  json?: boolean;
  long?: boolean;
}

interface Row {
  name: string;
  type: string;
  mode: string;
  nlink: number;
  uid: number;
  gid: number;
  sizeBytes: number;
  mtime: string;
  target?: string;
}

const TYPES: Readonly<Record<number, { letter: string; name: string }>> = {
  [S_IFREG]: { letter: "-", name: "file" },
  [S_IFDIR]: { letter: "d", name: "directory" },
  [S_IFLNK]: { letter: "l", name: "symlink" },
  [S_IFCHR]: { letter: "c", name: "char" },
  [S_IFBLK]: { letter: "b", name: "block" },
  [S_IFIFO]: { letter: "p", name: "fifo" },
  [S_IFSOCK]: { letter: "s", name: "socket" },
};

export function define(command: Command): void {
  command
    .argument("[path]", "directory or file in the file system", "/")
    .option("-l, --long", "with mode, owner, size and time")
    .action(ls);
  addJsonOption(addMetaOption(command));
}

async function ls(path: string, options: LsOptions): Promise<void> {
  const remote = parseRemotePath(path);
  const rows = await withFileSystem(options.meta, async (fs) => {
    const attr = await fs.walker.resolve(remote);
    if (!isDirectory(attr.mode)) return [await describe(fs, formatPath(remote), attr)];
    const found: Row[] = [];
    for await (const child of listDirectory(fs, attr.ino)) {
      found.push(await describe(fs, displayName(child.name), child.attr));
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  });
  if (options.json === true) printJson(rows);
  else if (options.long !== true) for (const row of rows) printLine(printable(row.name));
  else if (rows.length > 0) printLine(formatTable(rows.map(longRow)));
}

async function describe(fs: FileSystem, name: string, attr: Attr): Promise<Row> {
  const type = TYPES[attr.mode & S_IFMT] ?? { letter: "?", name: "unknown" };
  const row: Row = {
    name,
    type: type.name,
    mode: type.letter + permissionText(attr.mode),
    nlink: attr.nlink,
    uid: attr.uid,
    gid: attr.gid,
    sizeBytes: attr.sizeBytes,
    mtime: new Date(attr.mtimeSec * 1000 + Math.floor(attr.mtimeNsec / 1e6)).toISOString(),
  };
  if (!isSymlink(attr.mode)) return row;
  return { ...row, target: displayName(await fs.vfs.readlink(fs.caller, attr.ino)) };
}

function longRow(row: Row): (string | number)[] {
  const name = row.target === undefined ? row.name : `${row.name} -> ${row.target}`;
  const time = row.mtime.slice(0, 19).replace("T", " ");
  return [row.mode, row.nlink, row.uid, row.gid, row.sizeBytes, time, printable(name)];
}

/** "rwxr-xr-x", with s, S, t, T as ls(1) writes them. */
export function permissionText(mode: number): string {
  const triple = (shift: number, special: number, letter: string): string => {
    const bits = (mode >> shift) & 7;
    const execute = (bits & 1) !== 0;
    const isSpecial = (mode & special) !== 0;
    const last = isSpecial ? (execute ? letter : letter.toUpperCase()) : execute ? "x" : "-";
    return `${(bits & 4) !== 0 ? "r" : "-"}${(bits & 2) !== 0 ? "w" : "-"}${last}`;
  };
  return triple(6, 0o4000, "s") + triple(3, 0o2000, "s") + triple(0, 0o1000, "t");
}
