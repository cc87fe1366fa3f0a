// The model's steps carried out on a VFS in this process, by inode. It plays the kernel: walks
// paths, checks what the kernel checks before it asks a file system (types, access modes,
// overlaps), and nothing else.
import {
  isDirectory,
  isRegular,
  isSymlink,
  ROOT_CALLER,
  S_IFMT,
  S_IFSOCK,
  S_ISVTX,
  type Attr,
} from "../../domain/attributes.ts";
import { FsError, isFsError } from "../../domain/errno.ts";
import { ROOT_INO, type Ino, type Name } from "../../domain/ids.ts";
import { toName } from "../../domain/name.ts";
import type { DfsVfs } from "../../vfs/open/dfs-vfs.ts";
import { O_CREAT, O_EXCL, O_RDWR, O_TRUNC, type FileHandle } from "../../vfs/vfs.ts";
import { fail, MAX_FOLLOWED } from "./inodes.ts";
import { O_DIRECTORY, O_NOFOLLOW } from "./reference-model.ts";
import { hashOf } from "./file-data.ts";
import { VfsHandles } from "./vfs-handles.ts";
import type {
  DumpEntry,
  FileContent,
  HandleStep,
  Outcome,
  PathStep,
  Step,
  StepSystem,
  Told,
  Windows,
} from "./steps.ts";

interface Place {
  readonly parent: Ino;
  /** From the root to the parent. */
  readonly directories: readonly Ino[];
  readonly name: Name;
  readonly attr: Attr | undefined;
}

/** Steps that ask or change attributes of what is there already. */
type AttributeStep = Exclude<
  PathStep,
  { op: "mkdir" | "socket" | "symlink" } | { op: "link" | "rename" | "unlink" | "rmdir" }
>;

export class VfsSystem implements StepSystem {
  readonly #windows: Windows;
  #vfs: DfsVfs;
  #handles: VfsHandles;

  constructor(vfs: DfsVfs, windows: Windows) {
    this.#vfs = vfs;
    this.#windows = windows;
    this.#handles = new VfsHandles(vfs);
  }

  /** Goes on with another client; open files of the last one are no more. */
  use(vfs: DfsVfs): void {
    this.#vfs = vfs;
    this.#handles = new VfsHandles(vfs);
  }

  async run(step: Step): Promise<Outcome> {
    try {
      return { value: await this.#apply(step) };
    } catch (error) {
      if (isFsError(error)) return { errno: error.code };
      throw error;
    }
  }

  async content(path: string): Promise<FileContent> {
    const { attr } = await this.#walk(path, false);
    if (attr === undefined) return fail("ENOENT");
    const windows = await this.#windowsOf(attr);
    return { size: attr.sizeBytes, windows: windows.map((bytes) => bytes.toString("latin1")) };
  }

  async #apply(step: Step): Promise<unknown> {
    if (step.op === "dump") return this.#dump();
    if (step.op === "content") return this.content(step.path);
    if ("slot" in step) return this.#handleStep(step);
    return this.#pathStep(step);
  }

  async #handleStep(step: HandleStep): Promise<unknown> {
    switch (step.op) {
      case "open":
        return this.#open(step);
      case "tmpfile": {
        const directory = await this.#find(step.path, true);
        if (!isDirectory(directory.mode)) fail("ENOTDIR");
        const mode = 0o100000 | step.mode;
        const { fh, attr } = await this.#vfs.createUnnamed(
          ROOT_CALLER,
          directory.ino,
          mode,
          O_RDWR,
        );
        this.#handles.add(step.slot, { fh, ino: attr.ino, flags: O_RDWR, linkable: true });
        return null;
      }
      case "linkfd": {
        const { parent, name } = await this.#vacancy(step.path);
        await this.#handles.link(step.slot, parent, name);
        return null;
      }
      case "fstat":
        return told(await this.#handles.attributes(step.slot));
      default:
        return this.#handles.apply(step);
    }
  }

  async #pathStep(step: PathStep): Promise<unknown> {
    const vfs = this.#vfs;
    switch (step.op) {
      case "mkdir": {
        const { parent, name } = await this.#vacancy(step.path);
        await vfs.mkdir(ROOT_CALLER, parent, name, step.mode & (0o777 | S_ISVTX));
        return null;
      }
      case "socket": {
        const { parent, name } = await this.#vacancy(step.path);
        await vfs.mknod(ROOT_CALLER, parent, name, S_IFSOCK | step.mode, 0);
        return null;
      }
      case "symlink": {
        const { parent, name } = await this.#vacancy(step.path);
        await vfs.symlink(ROOT_CALLER, parent, name, step.target);
        return null;
      }
      case "link": {
        const { ino } = await this.#find(step.from, false);
        const { parent, name } = await this.#walk(step.path, false);
        await vfs.link(ROOT_CALLER, ino, parent, name);
        return null;
      }
      case "rename": {
        const from = await this.#walk(step.from, false);
        const to = await this.#walk(step.path, false);
        if (step.flags === 0 && isAbove(to.attr?.ino, from)) fail("ENOTEMPTY");
        await vfs.rename(ROOT_CALLER, from.parent, from.name, to.parent, to.name, step.flags);
        return null;
      }
      case "unlink":
      case "rmdir": {
        const { parent, name } = await this.#walk(step.path, false);
        await (step.op === "unlink"
          ? vfs.unlink(ROOT_CALLER, parent, name)
          : vfs.rmdir(ROOT_CALLER, parent, name));
        return null;
      }
      default:
        return this.#attributeStep(step);
    }
  }

  async #attributeStep(step: AttributeStep): Promise<unknown> {
    const vfs = this.#vfs;
    const attr = await this.#find(step.path, step.op !== "lstat" && step.op !== "readlink");
    const { ino, mode } = attr;
    const attributable = isRegular(mode) || isDirectory(mode);
    switch (step.op) {
      case "stat":
      case "lstat":
        return told(await vfs.getattr(ROOT_CALLER, ino));
      case "readlink":
        return isSymlink(mode) ? vfs.readlink(ROOT_CALLER, ino) : fail("EINVAL");
      case "list":
        if (!isDirectory(mode)) fail("ENOTDIR");
        return (await this.#list(ino)).map(({ name }) => name);
      case "chmod":
        await vfs.setattr(ROOT_CALLER, ino, { mode: step.mode });
        return null;
      case "chown": {
        const killPrivileges = !isDirectory(mode);
        await vfs.setattr(ROOT_CALLER, ino, { uid: step.uid, gid: step.gid, killPrivileges });
        return null;
      }
      case "utimens": {
        const time = { sec: step.sec, nsec: 0 };
        await vfs.setattr(ROOT_CALLER, ino, { atime: time, mtime: time });
        return null;
      }
      case "truncate":
        if (isDirectory(mode)) fail("EISDIR");
        if (!isRegular(mode)) fail("EINVAL");
        await vfs.setattr(ROOT_CALLER, ino, { sizeBytes: step.size });
        return null;
      case "listxattr":
        return (await vfs.listxattr(ROOT_CALLER, ino)).sort();
      case "getxattr": {
        if (!attributable) fail("ENODATA");
        const value = await vfs.getxattr(ROOT_CALLER, ino, step.name);
        return Buffer.from(value).toString("latin1");
      }
      case "setxattr": {
        if (!attributable) fail("EPERM");
        const value = Buffer.from(step.value, "latin1");
        await vfs.setxattr(ROOT_CALLER, ino, step.name, value, step.flags);
        return null;
      }
      case "removexattr":
        if (!attributable) fail("EPERM");
        await vfs.removexattr(ROOT_CALLER, ino, step.name);
        return null;
    }
  }

  /** In the order of open(2) in the kernel: path, type, and then the file system. */
  async #open({ path, flags, mode, slot }: Extract<HandleStep, { op: "open" }>): Promise<null> {
    const creates = (flags & O_CREAT) !== 0;
    const exclusive = creates && (flags & O_EXCL) !== 0;
    const place = await this.#walk(path, !exclusive && (flags & O_NOFOLLOW) === 0);
    const { parent, name, attr } = place;
    if (attr === undefined) {
      if (!creates) fail("ENOENT");
      const made = await this.#vfs.create(ROOT_CALLER, parent, name, 0o100000 | mode, flags);
      this.#handles.add(slot, { fh: made.fh, ino: made.attr.ino, flags });
      return null;
    }
    if (exclusive) fail("EEXIST");
    if (isDirectory(attr.mode)) {
      if ((flags & (O_CREAT | O_TRUNC | 3)) !== 0) fail("EISDIR");
      const fh = await this.#vfs.opendir(ROOT_CALLER, attr.ino);
      this.#handles.add(slot, { fh, ino: attr.ino, flags, directory: true });
      return null;
    }
    if ((flags & O_DIRECTORY) !== 0) fail("ENOTDIR");
    if (isSymlink(attr.mode)) fail("ELOOP");
    if (!isRegular(attr.mode)) fail("ENXIO");
    const { fh } = await this.#vfs.open(ROOT_CALLER, attr.ino, flags);
    this.#handles.add(slot, { fh, ino: attr.ino, flags });
    return null;
  }

  async #dump(): Promise<Record<string, DumpEntry>> {
    const entries: Record<string, DumpEntry> = {};
    const first = new Map<Ino, string>();
    const visit = async (directory: Ino, prefix: string): Promise<void> => {
      for (const { name, ino } of await this.#list(directory)) {
        const path = `${prefix}${name}`;
        const attr = await this.#vfs.lookup(ROOT_CALLER, directory, name);
        if (attr.ino !== ino) throw new Error(`${path} is ${attr.ino}, listed as ${ino}`);
        const same = first.get(ino) ?? path;
        first.set(ino, same);
        entries[path] = { ...told(attr), same, ...(await this.#inside(attr)) };
        if (isDirectory(attr.mode)) await visit(ino, `${path}/`);
      }
    };
    await visit(ROOT_INO, "");
    return entries;
  }

  async #inside(attr: Attr): Promise<Pick<DumpEntry, "target" | "xattrs" | "content">> {
    const { ino, mode } = attr;
    const xattrs: Record<string, string> = {};
    for (const name of await this.#vfs.listxattr(ROOT_CALLER, ino)) {
      const value = await this.#vfs.getxattr(ROOT_CALLER, ino, name);
      xattrs[name] = Buffer.from(value).toString("latin1");
    }
    const target = isSymlink(mode) ? await this.#vfs.readlink(ROOT_CALLER, ino) : undefined;
    if (!isRegular(mode)) return { target, xattrs, content: undefined };
    return { target, xattrs, content: (await this.#windowsOf(attr)).map(hashOf) };
  }

  async #windowsOf(attr: Attr): Promise<Buffer[]> {
    const opened = await this.#vfs.open(ROOT_CALLER, attr.ino, 0);
    if (opened.attr.sizeBytes !== attr.sizeBytes) {
      throw new Error(`${attr.sizeBytes} bytes by name, ${opened.attr.sizeBytes} when opened`);
    }
    const windows = [];
    for (const base of this.#windows.bases) {
      windows.push(Buffer.concat(await this.#vfs.read(opened.fh, base, this.#windows.bytes)));
    }
    await this.#vfs.flush(opened.fh);
    this.#vfs.release(opened.fh);
    return windows;
  }

  async #list(directory: Ino): Promise<{ name: Name; ino: Ino }[]> {
    const fh: FileHandle = await this.#vfs.opendir(ROOT_CALLER, directory);
    const found = [];
    for (let cursor = 0; ;) {
      const page = await this.#vfs.readdir(fh, cursor, false);
      const last = page.at(-1);
      if (last === undefined) break;
      found.push(...page.filter(({ name }) => name !== "." && name !== ".."));
      cursor = last.cookie;
    }
    this.#vfs.releasedir(fh);
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async #find(path: string, follow: boolean): Promise<Attr> {
    return (await this.#walk(path, follow)).attr ?? fail("ENOENT");
  }

  async #vacancy(path: string): Promise<Place> {
    const place = await this.#walk(path, false);
    if (place.attr !== undefined) fail("EEXIST");
    return place;
  }

  async #walk(path: string, followLast: boolean): Promise<Place> {
    let names = path.split("/");
    let parent = ROOT_INO;
    const directories = [parent];
    for (let followed = 0; ;) {
      const [first = "", ...rest] = names;
      const name = toName(first);
      const attr = await this.#lookup(parent, name);
      if (attr !== undefined && isSymlink(attr.mode) && (rest.length > 0 || followLast)) {
        followed += 1;
        if (followed > MAX_FOLLOWED) fail("ELOOP");
        const target = await this.#vfs.readlink(ROOT_CALLER, attr.ino);
        names = [...target.split("/"), ...rest];
      } else if (rest.length === 0) {
        return { parent, directories, name, attr };
      } else {
        if (attr === undefined) return fail("ENOENT");
        if (!isDirectory(attr.mode)) return fail("ENOTDIR");
        parent = attr.ino;
        directories.push(parent);
        names = rest;
      }
    }
  }

  async #lookup(parent: Ino, name: Name): Promise<Attr | undefined> {
    try {
      return await this.#vfs.lookup(ROOT_CALLER, parent, name);
    } catch (error) {
      if (error instanceof FsError && error.code === "ENOENT") return undefined;
      throw error;
    }
  }
}

/**
 * The kernel refuses to replace a directory above what is renamed, before it looks at what that is.
 */
function isAbove(ino: Ino | undefined, from: Place): boolean {
  if (ino === undefined || from.attr === undefined) return false;
  return from.directories.includes(ino);
}

function told(attr: Attr): Told {
  const { mode, nlink, sizeBytes, uid, gid, mtimeSec } = attr;
  const kinds = { 0o100000: "file", 0o040000: "dir", 0o120000: "symlink" } as const;
  const type = Reflect.get(kinds, mode & S_IFMT) as Told["type"] | undefined; // from the table
  const permissions = mode & 0o7777;
  const common = { mode: permissions, nlink, size: sizeBytes, uid, gid, mtime: mtimeSec };
  return { type: type ?? "socket", ...common };
}
