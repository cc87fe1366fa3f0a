// A machine's disk in memory, for tests: its power can be cut, it fills, fails, lies and rots. What
// a process sees of it is a view with hooks of its own.
import type { Disk, DiskFigures, DiskFile, FileFacts, OpenHow } from "../../platform/disk/disk.ts";
import type { SeededRandom } from "../seeded-random.ts";
import { MemoryDirectory, type DiskNode } from "./memory-directory.ts";
import { PageFile } from "./page-file.ts";

/** What a disk without a limit says of itself. */
const UNLIMITED_BYTES = 1024 ** 3;

export interface DiskCall {
  readonly what: Exclude<keyof Disk | keyof DiskFile, `${string}Sync`>;
  readonly path: string;
}

/**
 * An errno: the call fails and does nothing, but that a flush drops what it should have stored.
 * Short: a write ends early. Lie: a flush answers and does nothing.
 */
export type DiskFault = "EIO" | "ENOSPC" | "short" | "lie";

export interface DiskHooks {
  /** Asked before each call; may throw instead. */
  readonly fault?: (call: DiskCall) => DiskFault | undefined;
  /** Awaited before a call that takes its time is done, and once more before it is answered. */
  readonly pause?: (call: DiskCall, when: "before" | "after") => Promise<void> | undefined;
  /** Wall clock of the machine. */
  readonly nowMs?: () => number;
}

/** What all views share. */
interface Tree {
  root: MemoryDirectory;
  /** Undefined: it never fills. */
  totalBytes: number | undefined;
}

export class MemoryDisk implements Disk {
  readonly #tree: Tree;
  readonly #hooks: DiskHooks;

  constructor(hooks: DiskHooks = {}, tree?: Tree) {
    this.#hooks = hooks;
    this.#tree = tree ?? { root: new MemoryDirectory(), totalBytes: undefined };
  }

  /** The same disk with other hooks. */
  view(hooks: DiskHooks): MemoryDisk {
    return new MemoryDisk(hooks, this.#tree);
  }

  /** Another disk of the same content. */
  copy(hooks: DiskHooks = this.#hooks): MemoryDisk {
    const { root, totalBytes } = this.#tree;
    return new MemoryDisk(hooks, { root: root.copy(), totalBytes });
  }

  /** Another disk of what a power cut would leave at the least. */
  storedCopy(): MemoryDisk {
    return new MemoryDisk({}, { root: this.#tree.root.storedCopy(), totalBytes: undefined });
  }

  /** Becomes what `older` is: a disk that was rolled back to a copy. */
  restore(older: MemoryDisk): void {
    this.#tree.root = older.#tree.root.copy();
  }

  /**
   * Power is gone: what was never synced is lost; with `random` some of it, torn. Views and open
   * files of before must not be used any more.
   */
  cut(random?: SeededRandom): void {
    this.#tree.root.cut(random);
  }

  /** Makes what stands at `path`, and the way to it, safe from a cut. */
  persist(path: string): void {
    let node: DiskNode = this.#tree.root;
    for (const name of namesOf(path)) {
      if (!(node instanceof MemoryDirectory)) break;
      node.sync();
      node = node.get(name) ?? notThere(path);
    }
    if (node instanceof PageFile) node.flush();
    else node.sync();
  }

  /** Flips bits of a stored byte. */
  spoil(path: string, position: number, mask = 0xff): void {
    this.#file(path).spoil(position, mask);
  }

  /** From now on it fills at so many bytes. */
  limit(totalBytes: number | undefined): void {
    this.#tree.totalBytes = totalBytes;
  }

  get usedBytes(): number {
    let usedBytes = 0;
    for (const [, file] of this.#tree.root.files()) usedBytes += file.sizeBytes;
    return usedBytes;
  }

  /** Paths of all files. */
  get paths(): string[] {
    return [...this.#tree.root.files("/")].map(([path]) => path);
  }

  open(path: string, how: OpenHow): Promise<DiskFile> {
    return this.#later({ what: "open", path }, () => this.#open(path, how));
  }

  openSync(path: string, how: OpenHow): DiskFile {
    return this.#now({ what: "open", path }, () => this.#open(path, how));
  }

  /** To read and write what is there. */
  reopenSync(path: string): DiskFile {
    const call = { what: "open", path } as const;
    return this.#now(call, () => this.#opened(path, this.#file(path), true));
  }

  readWhole(path: string): Promise<Buffer> {
    return this.#later({ what: "readWhole", path }, () => this.#file(path).readAll());
  }

  readWholeSync(path: string): Buffer {
    return this.#now({ what: "readWhole", path }, () => this.#file(path).readAll());
  }

  makeDirectory(path: string): Promise<void> {
    return this.#later({ what: "makeDirectory", path }, () => this.#makeDirectory(path));
  }

  makeDirectorySync(path: string): void {
    this.#now({ what: "makeDirectory", path }, () => this.#makeDirectory(path));
  }

  list(path: string): Promise<string[]> {
    return this.#later({ what: "list", path }, () => this.#directory(path).names());
  }

  listSync(path: string): string[] {
    return this.#now({ what: "list", path }, () => this.#directory(path).names());
  }

  facts(path: string): Promise<FileFacts | undefined> {
    return this.#later({ what: "facts", path }, () => this.#facts(path));
  }

  factsSync(path: string): FileFacts | undefined {
    return this.#now({ what: "facts", path }, () => this.#facts(path));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#later({ what: "rename", path: from }, () => this.#rename(from, to));
  }

  renameSync(from: string, to: string): void {
    this.#now({ what: "rename", path: from }, () => this.#rename(from, to));
  }

  remove(path: string): Promise<void> {
    return this.#later({ what: "remove", path }, () => this.#remove(path));
  }

  removeSync(path: string): void {
    this.#now({ what: "remove", path }, () => this.#remove(path));
  }

  removeTree(path: string): Promise<void> {
    return this.#later({ what: "removeTree", path }, () => {
      if (this.#find(path) === undefined) return;
      const [directory, name] = this.#parent(path);
      directory.change([[name, undefined]]);
    });
  }

  figures(path: string): DiskFigures {
    return this.#now({ what: "figures", path }, () => {
      const { totalBytes = UNLIMITED_BYTES } = this.#tree;
      return { totalBytes, freeBytes: Math.max(0, totalBytes - this.usedBytes) };
    });
  }

  #now<T>(call: DiskCall, work: (fault: DiskFault | undefined) => T): T {
    const fault = this.#hooks.fault?.(call);
    const flush = call.what === "sync" || call.what === "datasync";
    if ((fault === "EIO" || fault === "ENOSPC") && !flush) throw refusal(fault, call);
    return work(fault);
  }

  async #later<T>(call: DiskCall, work: (fault: DiskFault | undefined) => T): Promise<T> {
    await this.#hooks.pause?.(call, "before");
    try {
      return this.#now(call, work);
    } finally {
      await this.#hooks.pause?.(call, "after");
    }
  }

  #find(path: string): DiskNode | undefined {
    let node: DiskNode | undefined = this.#tree.root;
    for (const name of namesOf(path)) {
      if (!(node instanceof MemoryDirectory)) return undefined;
      node = node.get(name);
    }
    return node;
  }

  #file(path: string): PageFile {
    const node = this.#find(path) ?? notThere(path);
    if (node instanceof PageFile) return node;
    throw nodeError("EISDIR", `${path} is a directory`);
  }

  #directory(path: string): MemoryDirectory {
    const node = this.#find(path) ?? notThere(path);
    if (node instanceof MemoryDirectory) return node;
    throw nodeError("ENOTDIR", `${path} is no directory`);
  }

  #parent(path: string): [MemoryDirectory, string] {
    const names = namesOf(path);
    return [this.#directory(names.slice(0, -1).join("/")), names.at(-1) ?? notThere(path)];
  }

  #makeDirectory(path: string): void {
    let directory = this.#tree.root;
    for (const name of namesOf(path)) {
      const known = directory.get(name);
      if (known instanceof PageFile) throw nodeError("EEXIST", `${path}: ${name} is a file`);
      const next = known ?? new MemoryDirectory();
      if (known === undefined) directory.change([[name, next]]);
      directory = next;
    }
  }

  #facts(path: string): FileFacts | undefined {
    const node = this.#find(path);
    if (node === undefined) return undefined;
    return node instanceof PageFile
      ? { sizeBytes: node.sizeBytes, changedMs: node.changedMs }
      : { sizeBytes: 0, changedMs: 0 };
  }

  #rename(from: string, to: string): void {
    const node = this.#find(from) ?? notThere(from);
    const [source, oldName] = this.#parent(from);
    const [target, newName] = this.#parent(to);
    if (node instanceof PageFile) node.changedMs = this.#nowMs();
    if (source === target) {
      source.change([
        [oldName, undefined],
        [newName, node],
      ]);
      return;
    }
    target.change([[newName, node]]);
    source.change([[oldName, undefined]]);
  }

  #remove(path: string): void {
    this.#file(path);
    const [directory, name] = this.#parent(path);
    directory.change([[name, undefined]]);
  }

  #open(path: string, how: OpenHow): DiskFile {
    const known = this.#find(path);
    if (how === "read") return this.#opened(path, known ?? notThere(path), false);
    if (known instanceof MemoryDirectory || (known !== undefined && how === "create")) {
      throw nodeError("EEXIST", `${path} is there`);
    }
    const file = known ?? new PageFile(this.#nowMs());
    const [directory, name] = this.#parent(path);
    if (known === undefined) directory.change([[name, file]]);
    else known.truncate(0);
    return this.#opened(path, file, true);
  }

  #opened(path: string, node: DiskNode, writable: boolean): DiskFile {
    const content = (): PageFile => {
      if (node instanceof PageFile) return node;
      throw nodeError("EISDIR", `${path} is a directory`);
    };
    const read = (target: Uint8Array, at: number, position: number): number =>
      content().read(target.subarray(at), position);
    const write = (bytes: Uint8Array, at: number, position: number) => (fault?: DiskFault) => {
      if (!writable) throw nodeError("EBADF", `${path} is open to read`);
      const wanted = fault === "short" ? Math.max(1, (bytes.length - at) >> 1) : bytes.length - at;
      const length = Math.min(wanted, this.#room(content(), position));
      if (length <= 0 && wanted > 0) throw refusal("ENOSPC", { what: "write", path });
      content().write(bytes.subarray(at, at + length), position);
      content().changedMs = this.#nowMs();
      return length;
    };
    const flush = (what: "sync" | "datasync") => (fault?: DiskFault) => {
      if (fault === "lie") return;
      if (fault === undefined || fault === "short") {
        if (node instanceof PageFile) node.flush();
        else node.sync();
        return;
      }
      if (node instanceof PageFile) node.failFlush();
      throw refusal(fault, { what, path });
    };
    return {
      readSync: (...to) => this.#now({ what: "read", path }, () => read(...to)),
      read: (...to) => this.#later({ what: "read", path }, () => read(...to)),
      writeSync: (...from) => this.#now({ what: "write", path }, write(...from)),
      write: (...from) => this.#later({ what: "write", path }, write(...from)),
      truncateSync: (sizeBytes) => content().truncate(sizeBytes),
      datasync: () => this.#later({ what: "datasync", path }, flush("datasync")),
      sync: () => this.#later({ what: "sync", path }, flush("sync")),
      close: () => this.#later({ what: "close", path }, () => undefined),
      closeSync: () => undefined,
    };
  }

  /** Bytes that a write at `position` may have. */
  #room(file: PageFile, position: number): number {
    const { totalBytes } = this.#tree;
    if (totalBytes === undefined) return Infinity;
    return file.sizeBytes - position + Math.max(0, totalBytes - this.usedBytes);
  }

  #nowMs(): number {
    return this.#hooks.nowMs?.() ?? 0;
  }
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "");
}

function notThere(path: string): never {
  throw nodeError("ENOENT", `${path} isn't there`);
}

function refusal(code: "EIO" | "ENOSPC", { what, path }: DiskCall): Error {
  return nodeError(code, `${what} of ${path}: injected ${code}`);
}

/** As those of node:fs. */
function nodeError(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}
