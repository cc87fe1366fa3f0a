// A Vfs over another one, with inode numbers, callers and attributes translated on the way: what
// subdir-vfs and id-mapping-vfs have in common. Every method of Vfs must be here, since one that
// passed its arguments through unseen would act on the wrong inode or for the wrong user.
import type { Attr, AttrChanges, Caller, StatFs } from "../../domain/attributes.ts";
import type { LockOwner } from "../../domain/file-lock.ts";
import type { Ino, Name } from "../../domain/ids.ts";
import type { DirEntry } from "../../protocol/meta/meta-service.ts";
import type { FileHandle, MaybePromise, OpenResult, Vfs } from "../vfs.ts";

/** "inner" is what the Vfs below knows, "outer" what is shown. */
export interface Translation {
  innerCaller(caller: Caller): Caller;
  innerIno(ino: Ino): Ino;
  innerChanges(changes: AttrChanges): AttrChanges;
  outerAttr(attr: Attr): Attr;
  outerEntry(entry: DirEntry): DirEntry;
  innerXattr(name: string, value: Uint8Array): Uint8Array;
  outerXattr(name: string, value: Uint8Array): Uint8Array;
}

function then<T, U>(value: MaybePromise<T>, next: (value: T) => U): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

export class TranslatedVfs implements Vfs {
  protected readonly inner: Vfs;
  readonly #via: Translation;

  /** By handle, with nothing to translate; there only where the Vfs below has them. */
  readonly getlk: Vfs["getlk"];
  readonly setlk: Vfs["setlk"];

  constructor(inner: Vfs, via: Translation) {
    this.inner = inner;
    this.#via = via;
    this.getlk = inner.getlk?.bind(inner);
    this.setlk = inner.setlk?.bind(inner);
  }

  lookup(caller: Caller, parent: Ino, name: Name): MaybePromise<Attr> {
    return this.#attr(this.inner.lookup(this.#as(caller), this.#at(parent), name));
  }

  forget(ino: Ino, count: number): void {
    this.inner.forget(this.#at(ino), count);
  }

  getattr(caller: Caller, ino: Ino, fh?: FileHandle): MaybePromise<Attr> {
    return this.#attr(this.inner.getattr(this.#as(caller), this.#at(ino), fh));
  }

  setattr(caller: Caller, ino: Ino, changes: AttrChanges, fh?: FileHandle): MaybePromise<Attr> {
    const inner = this.#via.innerChanges(changes);
    return this.#attr(this.inner.setattr(this.#as(caller), this.#at(ino), inner, fh));
  }

  readlink(caller: Caller, ino: Ino): MaybePromise<string> {
    return this.inner.readlink(this.#as(caller), this.#at(ino));
  }

  symlink(caller: Caller, parent: Ino, name: Name, target: string): MaybePromise<Attr> {
    return this.#attr(this.inner.symlink(this.#as(caller), this.#at(parent), name, target));
  }

  mknod(caller: Caller, parent: Ino, name: Name, mode: number, rdev: number): MaybePromise<Attr> {
    return this.#attr(this.inner.mknod(this.#as(caller), this.#at(parent), name, mode, rdev));
  }

  mkdir(caller: Caller, parent: Ino, name: Name, mode: number): MaybePromise<Attr> {
    return this.#attr(this.inner.mkdir(this.#as(caller), this.#at(parent), name, mode));
  }

  unlink(caller: Caller, parent: Ino, name: Name): MaybePromise<void> {
    return this.inner.unlink(this.#as(caller), this.#at(parent), name);
  }

  rmdir(caller: Caller, parent: Ino, name: Name): MaybePromise<void> {
    return this.inner.rmdir(this.#as(caller), this.#at(parent), name);
  }

  rename(
    caller: Caller,
    parent: Ino,
    name: Name,
    newParent: Ino,
    newName: Name,
    flags: number,
  ): MaybePromise<void> {
    const [from, to] = [this.#at(parent), this.#at(newParent)];
    return this.inner.rename(this.#as(caller), from, name, to, newName, flags);
  }

  link(caller: Caller, ino: Ino, parent: Ino, name: Name): MaybePromise<Attr> {
    return this.#attr(this.inner.link(this.#as(caller), this.#at(ino), this.#at(parent), name));
  }

  create(
    caller: Caller,
    parent: Ino,
    name: Name,
    mode: number,
    flags: number,
  ): MaybePromise<OpenResult> {
    const created = this.inner.create(this.#as(caller), this.#at(parent), name, mode, flags);
    return this.#opened(created);
  }

  createUnnamed(
    caller: Caller,
    parent: Ino,
    mode: number,
    flags: number,
  ): MaybePromise<OpenResult> {
    const at = this.#at(parent);
    return this.#opened(this.inner.createUnnamed(this.#as(caller), at, mode, flags));
  }

  open(caller: Caller, ino: Ino, flags: number): MaybePromise<OpenResult> {
    return this.#opened(this.inner.open(this.#as(caller), this.#at(ino), flags));
  }

  read(fh: FileHandle, offset: number, sizeBytes: number): MaybePromise<readonly Uint8Array[]> {
    return this.inner.read(fh, offset, sizeBytes);
  }

  write(
    fh: FileHandle,
    offset: number,
    data: Uint8Array,
    killPrivileges: boolean,
  ): MaybePromise<number> {
    return this.inner.write(fh, offset, data, killPrivileges);
  }

  fallocate(
    caller: Caller,
    fh: FileHandle,
    mode: number,
    offset: number,
    lengthBytes: number,
  ): MaybePromise<void> {
    return this.inner.fallocate(this.#as(caller), fh, mode, offset, lengthBytes);
  }

  seek(fh: FileHandle, offset: number, to: "data" | "hole"): MaybePromise<number> {
    return this.inner.seek(fh, offset, to);
  }

  copyRange(
    caller: Caller,
    source: { fh: FileHandle; offset: number },
    target: { fh: FileHandle; offset: number },
    lengthBytes: number,
  ): MaybePromise<number> {
    return this.inner.copyRange(this.#as(caller), source, target, lengthBytes);
  }

  flush(fh: FileHandle, owner?: LockOwner): MaybePromise<void> {
    return this.inner.flush(fh, owner);
  }

  fsync(fh: FileHandle, dataOnly: boolean): MaybePromise<void> {
    return this.inner.fsync(fh, dataOnly);
  }

  release(fh: FileHandle): MaybePromise<void> {
    return this.inner.release(fh);
  }

  opendir(caller: Caller, ino: Ino): MaybePromise<FileHandle> {
    return this.inner.opendir(this.#as(caller), this.#at(ino));
  }

  readdir(fh: FileHandle, cursor: number, withAttrs: boolean): MaybePromise<readonly DirEntry[]> {
    return then(this.inner.readdir(fh, cursor, withAttrs), (entries) =>
      entries.map((entry) => this.#via.outerEntry(entry)),
    );
  }

  releasedir(fh: FileHandle): void {
    this.inner.releasedir(fh);
  }

  fsyncdir(fh: FileHandle): MaybePromise<void> {
    return this.inner.fsyncdir(fh);
  }

  getxattr(caller: Caller, ino: Ino, name: string): MaybePromise<Uint8Array> {
    const value = this.inner.getxattr(this.#as(caller), this.#at(ino), name);
    return then(value, (inner) => this.#via.outerXattr(name, inner));
  }

  setxattr(
    caller: Caller,
    ino: Ino,
    name: string,
    value: Uint8Array,
    flags: number,
  ): MaybePromise<void> {
    const inner = this.#via.innerXattr(name, value);
    return this.inner.setxattr(this.#as(caller), this.#at(ino), name, inner, flags);
  }

  listxattr(caller: Caller, ino: Ino): MaybePromise<string[]> {
    return this.inner.listxattr(this.#as(caller), this.#at(ino));
  }

  removexattr(caller: Caller, ino: Ino, name: string): MaybePromise<void> {
    return this.inner.removexattr(this.#as(caller), this.#at(ino), name);
  }

  statfs(): MaybePromise<StatFs> {
    return this.inner.statfs();
  }

  syncfs(): MaybePromise<void> {
    return this.inner.syncfs();
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  #as(caller: Caller): Caller {
    return this.#via.innerCaller(caller);
  }

  #at(ino: Ino): Ino {
    return this.#via.innerIno(ino);
  }

  #attr(attr: MaybePromise<Attr>): MaybePromise<Attr> {
    return then(attr, (inner) => this.#via.outerAttr(inner));
  }

  #opened(opened: MaybePromise<OpenResult>): MaybePromise<OpenResult> {
    return then(opened, (inner) => ({ ...inner, attr: this.#via.outerAttr(inner.attr) }));
  }
}
