// Makes the calls of POSIX cases on a namespace alone: paths are walked as a kernel walks them, and
// every question of permission is left to the metadata server.
import {
  isDirectory,
  isSymlink,
  S_IFIFO,
  S_IFMT,
  S_IFSOCK,
  type Attr,
  type Caller,
} from "../../domain/attributes.ts";
import { FsError, isFsError } from "../../domain/errno.ts";
import { ROOT_INO, type Ino, type Name } from "../../domain/ids.ts";
import type { Transaction } from "../../meta/engine/engine.ts";
import { MemoryEngine } from "../../meta/engine/memory-engine.ts";
import { TestNamespace, type NamespaceCalls } from "../engine/engine-namespace.ts";
import { deviceOf, NODE_TYPES, timeOf, told } from "./attribute-text.ts";
import { packed, unpacked } from "./acl-text.ts";
import type { Answer, Step } from "./language.ts";

const MAX_SYMLINKS = 40;
/**
 * Where a path leads: the directory, the name in it ("." for the directory itself), and what is
 * there.
 */
interface Place {
  readonly parent: Ino;
  readonly name: Name;
  readonly attr: Attr | undefined;
}

const octal = (text = ""): number => Number.parseInt(text, 8);
/** One case's world. Calls it doesn't know answer nothing. */
export class NamespaceSystem {
  readonly #fs: TestNamespace;
  readonly #handles = new Map<string | null, { ino: Ino; writable: boolean }>();
  readonly #marks = new Map<string, Attr>();
  #cwd: Ino;
  #umask = 0;

  private constructor(fs: TestNamespace, cwd: Ino) {
    this.#fs = fs;
    this.#cwd = cwd;
  }

  static async create(): Promise<NamespaceSystem> {
    const fs = await TestNamespace.on(new MemoryEngine());
    return new NamespaceSystem(fs, (await fs.directory("case")).ino);
  }

  /** Undefined for a call that is not the namespace's business. */
  async perform(step: Step): Promise<Answer | undefined> {
    await this.#fs.clock.advance(1);
    const [uid, gid, groups] = step.as;
    const caller = { uid, gid, groups, umask: this.#umask };
    const call = CALLS[step.op];
    if (call === undefined) return undefined;
    try {
      const value = await this.#fs.do((ns, tx) => call(new Attempt(this, ns, tx, caller, step)));
      return { value: value ?? null };
    } catch (error) {
      if (isFsError(error)) return { errno: error.code };
      throw error;
    }
  }

  broken(): Promise<string[]> {
    return this.#fs.broken();
  }

  get cwd(): Ino {
    return this.#cwd;
  }

  set cwd(ino: Ino) {
    this.#cwd = ino;
  }

  set umask(mask: number) {
    this.#umask = mask;
  }

  get handles(): Map<string | null, { ino: Ino; writable: boolean }> {
    return this.#handles;
  }

  get marks(): Map<string, Attr> {
    return this.#marks;
  }
}

/** One call: who makes it, and in which transaction. */
class Attempt {
  readonly system: NamespaceSystem;
  readonly ns: NamespaceCalls;
  readonly tx: Transaction;
  readonly caller: Caller;
  readonly step: Step;

  constructor(
    system: NamespaceSystem,
    ns: NamespaceCalls,
    tx: Transaction,
    caller: Caller,
    step: Step,
  ) {
    this.system = system;
    this.ns = ns;
    this.tx = tx;
    this.caller = caller;
    this.step = step;
  }

  arg(index: number): string {
    return this.step.args[index] ?? "";
  }

  place(path: string, follow: boolean, links = 0): Place {
    let at: Place = this.#start(path);
    const names = path.split("/").filter((name) => name !== "");
    for (const [index, name] of names.entries()) {
      const last = index === names.length - 1;
      const here = this.#entered(at, links);
      at = this.#find(here, name as Name, last);
      const symlink = at.attr !== undefined && isSymlink(at.attr.mode) && (!last || follow);
      if (symlink) at = this.#followed(at, here, links);
    }
    return at;
  }

  #start(path: string): Place {
    if (path === "") throw new FsError("ENOENT", "empty path");
    const ino = path.startsWith("/") ? ROOT_INO : this.system.cwd;
    return { parent: ino, name: "." as Name, attr: this.ns.getattr(this.tx, ino) };
  }

  #entered({ attr }: Place, links: number): Ino {
    if (attr === undefined) throw new FsError("ENOENT", "missing in the path");
    if (links > MAX_SYMLINKS) throw new FsError("ELOOP", "too many symlinks");
    if (!isDirectory(attr.mode)) throw new FsError("ENOTDIR", "no directory in the path");
    return attr.ino;
  }

  #find(parent: Ino, name: Name, last: boolean): Place {
    try {
      return { parent, name, attr: this.ns.lookup(this.tx, this.caller, parent, name) };
    } catch (error) {
      if (last && isFsError(error, "ENOENT")) return { parent, name, attr: undefined };
      throw error;
    }
  }

  #followed(at: Place, directory: Ino, links: number): Place {
    if (links >= MAX_SYMLINKS || at.attr === undefined) throw new FsError("ELOOP", "symlinks");
    const target = this.ns.readlink(this.tx, this.caller, at.attr.ino);
    const { cwd } = this.system;
    this.system.cwd = directory;
    try {
      return this.place(target, true, links + 1);
    } finally {
      this.system.cwd = cwd;
    }
  }

  /** What exists at the path. */
  found(path: string, follow = true): Attr {
    const { attr } = this.place(path, follow);
    if (attr === undefined) throw new FsError("ENOENT", path);
    return attr;
  }

  handle(): { ino: Ino; writable: boolean } {
    const handle = this.system.handles.get(this.step.label);
    if (handle === undefined) throw new Error(`no handle: ${this.step.line}`);
    return handle;
  }

  set(ino: Ino, changes: Parameters<NamespaceCalls["setattr"]>[3], handleOpen = false): undefined {
    this.ns.setattr(this.tx, this.caller, ino, changes, handleOpen);
  }
}

type Call = (attempt: Attempt) => string | number | Record<string, string | number> | undefined;

function owners(a: Attempt, first: number): { uid?: number; gid?: number } {
  const [uid, gid] = [Number(a.arg(first)), Number(a.arg(first + 1))];
  return { ...(uid < 0 ? {} : { uid }), ...(gid < 0 ? {} : { gid }) };
}

function setTimes(a: Attempt, ino: Ino, first: number): undefined {
  const [atime, mtime] = [timeOf(a.arg(first)), timeOf(a.arg(first + 1))];
  if (atime === undefined && mtime === undefined) return;
  a.set(ino, {
    ...(atime === undefined ? {} : { atime }),
    ...(mtime === undefined ? {} : { mtime }),
  });
}

function open(a: Attempt): undefined {
  const flags = new Set(a.arg(1).split("+"));
  if (flags.has("path")) return;
  const truncate = flags.has("trunc");
  const write = flags.has("wronly") || flags.has("rdwr");
  const access = { read: !flags.has("wronly"), write, truncate };
  const place = a.place(a.arg(0), !flags.has("excl") && !flags.has("nofollow"));
  let { attr } = place;
  if (flags.has("creat") && (attr === undefined || flags.has("excl"))) {
    const request = { mode: a.step.args[2] === undefined ? 0o777 : octal(a.arg(2)), access };
    const { ns, tx, caller } = a;
    attr = ns.create(tx, caller, place.parent, place.name, request, true).attr;
  } else if (attr === undefined) {
    throw new FsError("ENOENT", a.arg(0));
  } else if (isDirectory(attr.mode) && !write && !flags.has("creat")) {
    a.ns.readdir(a.tx, a.caller, attr.ino, 0, 1, false);
  } else {
    a.ns.open(a.tx, a.caller, attr.ino, access);
  }
  a.system.handles.set(a.step.label, { ino: attr.ino, writable: write });
}

function since(a: Attempt): string {
  const before = a.system.marks.get(a.arg(0));
  if (before === undefined) throw new Error(`no mark: ${a.step.line}`);
  const [then, now] = [told(before), told(a.found(a.arg(0), false))];
  return ["atime", "mtime", "ctime"].filter((key) => then[key] !== now[key]).join(" ") || "none";
}

function list(a: Attempt): string {
  const { ino } = a.found(a.arg(0));
  const { entries } = a.ns.readdir(a.tx, a.caller, ino, 0, 1000, false);
  return entries
    .map(({ name }) => name)
    .sort()
    .join(" ");
}

const aclName = (a: Attempt): string => `system.posix_acl_${a.arg(1)}`;

function setXattr(a: Attempt, name: string, value: Uint8Array, flags = 0): undefined {
  a.ns.setxattr(a.tx, a.caller, a.found(a.arg(0), false).ino, name, value, flags);
}

function getXattr(a: Attempt, name: string): Uint8Array {
  return a.ns.getxattr(a.tx, a.caller, a.found(a.arg(0), false).ino, name);
}

function make(a: Attempt, mode: number, rdev = 0): undefined {
  const { parent, name } = a.place(a.arg(0), false);
  a.ns.mknod(a.tx, a.caller, parent, name, { mode, rdev });
}

function rename(a: Attempt, flags: number): undefined {
  const [from, to] = [a.place(a.arg(0), false), a.place(a.arg(1), false)];
  a.ns.rename(a.tx, a.caller, from.parent, from.name, to.parent, to.name, flags);
}

function link(a: Attempt, follow: boolean): undefined {
  const [from, to] = [a.found(a.arg(0), follow), a.place(a.arg(1), false)];
  a.ns.link(a.tx, a.caller, from.ino, to.parent, to.name);
}

const latin1 = (text: string): Uint8Array => Buffer.from(text, "latin1");

const CALLS: Readonly<Record<string, Call>> = {
  create: (a) => {
    const { parent, name } = a.place(a.arg(0), false);
    a.ns.create(a.tx, a.caller, parent, name, { mode: octal(a.arg(1)) }, true);
  },
  open,
  write: (a) => {
    const { ino } = a.handle();
    const { sizeBytes } = a.ns.getattr(a.tx, ino);
    const count = a.arg(0).length;
    a.ns.commit(a.tx, {
      ino,
      extents: [],
      minSizeBytes: sizeBytes + count,
      mtime: { sec: 1, nsec: 0 },
      killPrivileges: a.caller.uid !== 0,
      durable: false,
    });
    return count;
  },
  mkdir: (a) => {
    const { parent, name } = a.place(a.arg(0), false);
    a.ns.mkdir(a.tx, a.caller, parent, name, octal(a.arg(1)) & 0o1777);
  },
  rmdir: (a) => {
    const { parent, name } = a.place(a.arg(0), false);
    a.ns.rmdir(a.tx, a.caller, parent, name);
  },
  unlink: (a) => {
    const { parent, name } = a.place(a.arg(0), false);
    a.ns.unlink(a.tx, a.caller, parent, name);
  },
  mkfifo: (a) => make(a, S_IFIFO | octal(a.arg(1))),
  mknod: (a) =>
    make(
      a,
      (NODE_TYPES[a.arg(1)] ?? S_IFMT) | octal(a.arg(2)),
      deviceOf(Number(a.arg(3)), Number(a.arg(4))),
    ),
  bind: (a) => make(a, S_IFSOCK | (0o777 & ~(a.caller.umask ?? 0))),
  symlink: (a) => {
    const { parent, name } = a.place(a.arg(1), false);
    a.ns.symlink(a.tx, a.caller, parent, name, a.arg(0));
  },
  readlink: (a) => a.ns.readlink(a.tx, a.caller, a.found(a.arg(0), false).ino),
  link: (a) => link(a, false),
  linkfollow: (a) => link(a, true),
  rename: (a) => rename(a, 0),
  rename2: (a) => rename(a, Number(a.arg(2))),
  chmod: (a) => a.set(a.found(a.arg(0)).ino, { mode: octal(a.arg(1)) }),
  fchmod: (a) => a.set(a.handle().ino, { mode: octal(a.arg(0)) }),
  chown: (a) => a.set(a.found(a.arg(0)).ino, owners(a, 1)),
  lchown: (a) => a.set(a.found(a.arg(0), false).ino, owners(a, 1)),
  fchown: (a) => a.set(a.handle().ino, owners(a, 0)),
  truncate: (a) => a.set(a.found(a.arg(0)).ino, { sizeBytes: Number(a.arg(1)) }),
  ftruncate: (a) => {
    const { ino, writable } = a.handle();
    a.set(ino, { sizeBytes: Number(a.arg(0)) }, writable);
  },
  utimens: (a) => setTimes(a, a.found(a.arg(0)).ino, 1),
  lutimens: (a) => setTimes(a, a.found(a.arg(0), false).ino, 1),
  futimens: (a) => setTimes(a, a.handle().ino, 0),
  stat: (a) => told(a.found(a.arg(0))),
  lstat: (a) => told(a.found(a.arg(0), false)),
  fstat: (a) => told(a.ns.getattr(a.tx, a.handle().ino)),
  same: (a) => (a.found(a.arg(0), false).ino === a.found(a.arg(1), false).ino ? "yes" : "no"),
  list,
  chdir: (a) => {
    a.system.cwd = a.found(a.arg(0)).ino;
    return undefined;
  },
  umask: (a) => {
    a.system.umask = octal(a.arg(0));
    return undefined;
  },
  mark: (a) => {
    for (const path of a.step.args) a.system.marks.set(path, a.found(path, false));
  },
  since,
  setxattr: (a) => setXattr(a, a.arg(1), latin1(a.arg(2).repeat(Number(a.step.args[3] ?? 1)))),
  setxattrflag: (a) => setXattr(a, a.arg(1), latin1(a.arg(2)), Number(a.arg(3))),
  getxattr: (a) => Buffer.from(getXattr(a, a.arg(1))).toString("latin1"),
  listxattr: (a) => a.ns.listxattr(a.tx, a.caller, a.found(a.arg(0), false).ino).join(" "),
  removexattr: (a) => {
    a.ns.removexattr(a.tx, a.caller, a.found(a.arg(0), false).ino, a.arg(1));
  },
  setacl: (a) => setXattr(a, aclName(a), packed(a.arg(2))),
  getacl: (a) => unpacked(getXattr(a, aclName(a))),
  removeacl: (a) => {
    a.ns.removexattr(a.tx, a.caller, a.found(a.arg(0), false).ino, aclName(a));
  },
};
