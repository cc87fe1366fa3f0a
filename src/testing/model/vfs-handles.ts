// Open files of the model's steps on a VFS in this process, with the checks that the kernel makes
// by descriptor.
import { ROOT_CALLER, type Attr, type AttrChanges } from "../../domain/attributes.ts";
import type { Ino, Name } from "../../domain/ids.ts";
import type { DfsVfs } from "../../vfs/open/dfs-vfs.ts";
import { O_ACCMODE, O_APPEND, O_WRONLY, type FileHandle } from "../../vfs/vfs.ts";
import { fail } from "./inodes.ts";
import { bytesOf, type HandleStep } from "./steps.ts";

interface Handle {
  readonly fh: FileHandle;
  readonly ino: Ino;
  readonly flags: number;
  readonly directory?: boolean;
  /** Made without a name, which it may get. */
  readonly linkable?: boolean;
}

type UseStep = Exclude<HandleStep, { op: "open" } | { op: "tmpfile" } | { op: "linkfd" }>;

export class VfsHandles {
  readonly #vfs: DfsVfs;
  readonly #handles = new Map<number, Handle>();

  constructor(vfs: DfsVfs) {
    this.#vfs = vfs;
  }

  add(slot: number, handle: Handle): void {
    this.#handles.set(slot, handle);
  }

  async attributes(slot: number): Promise<Attr> {
    const { ino } = this.#get(slot);
    return this.#vfs.getattr(ROOT_CALLER, ino);
  }

  /** The kernel refuses by itself what has no name and was not made without one. */
  async link(slot: number, parent: Ino, name: Name): Promise<void> {
    const { ino, linkable, directory } = this.#get(slot);
    const { nlink } = await this.attributes(slot);
    if (directory === true) fail("EPERM");
    if (nlink === 0 && linkable !== true) fail("ENOENT");
    await this.#vfs.link(ROOT_CALLER, ino, parent, name);
  }

  async apply(step: Exclude<UseStep, { op: "fstat" }>): Promise<unknown> {
    const handle = this.#get(step.slot);
    const { fh, directory } = handle;
    switch (step.op) {
      case "close":
        this.#handles.delete(step.slot);
        if (directory === true) this.#vfs.releasedir(fh);
        else {
          await this.#vfs.flush(fh);
          this.#vfs.release(fh);
        }
        return null;
      case "fsync":
      case "fdatasync":
        await (directory === true ? this.#vfs.fsyncdir(fh) : this.#vfs.fsync(fh));
        return null;
      case "read": {
        if (!readable(handle)) fail("EBADF");
        if (directory === true) fail("EISDIR");
        const pieces = await this.#vfs.read(fh, step.offset, step.length);
        return Buffer.concat(pieces).toString("latin1");
      }
      case "copy":
        return this.#copy(step, handle);
      case "fchmod":
        await this.#setattr(handle, { mode: step.mode });
        return null;
      case "futimens": {
        const time = { sec: step.sec, nsec: 0 };
        await this.#setattr(handle, { atime: time, mtime: time });
        return null;
      }
      default:
        return this.#change(step, handle);
    }
  }

  async #change(
    step: Extract<HandleStep, { op: "write" | "ftruncate" | "fallocate" }>,
    handle: Handle,
  ): Promise<unknown> {
    const { fh, ino, flags, directory } = handle;
    if (!writable(handle) || directory === true) {
      fail(step.op === "ftruncate" ? "EINVAL" : "EBADF");
    }
    switch (step.op) {
      case "write": {
        const appends = (flags & O_APPEND) !== 0;
        const attr = appends ? await this.#vfs.getattr(ROOT_CALLER, ino) : undefined;
        const offset = attr?.sizeBytes ?? step.offset;
        return this.#vfs.write(fh, offset, bytesOf(step), false);
      }
      case "ftruncate":
        await this.#vfs.setattr(ROOT_CALLER, ino, { sizeBytes: step.size }, fh);
        return null;
      case "fallocate":
        await this.#vfs.fallocate(ROOT_CALLER, fh, step.mode, step.offset, step.length);
        return null;
    }
  }

  async #copy(step: Extract<HandleStep, { op: "copy" }>, source: Handle): Promise<number> {
    const target = this.#get(step.to);
    if (source.directory === true || target.directory === true) fail("EISDIR");
    const appends = (target.flags & O_APPEND) !== 0;
    if (!readable(source) || !writable(target) || appends) fail("EBADF");
    const { sizeBytes } = await this.#vfs.getattr(ROOT_CALLER, source.ino);
    const length = Math.max(0, Math.min(step.length, sizeBytes - step.offset));
    const overlaps = step.toOffset + length > step.offset && step.toOffset < step.offset + length;
    if (source.ino === target.ino && overlaps) fail("EINVAL");
    if (length === 0) return 0;
    return this.#vfs.copyRange(
      ROOT_CALLER,
      { fh: source.fh, offset: step.offset },
      { fh: target.fh, offset: step.toOffset },
      length,
    );
  }

  async #setattr({ ino, fh, directory }: Handle, changes: AttrChanges): Promise<void> {
    await this.#vfs.setattr(ROOT_CALLER, ino, changes, directory === true ? undefined : fh);
  }

  #get(slot: number): Handle {
    return this.#handles.get(slot) ?? fail("EBADF");
  }
}

function readable({ flags }: Handle): boolean {
  return (flags & O_ACCMODE) !== O_WRONLY;
}

function writable({ flags }: Handle): boolean {
  return (flags & O_ACCMODE) !== 0;
}
