// A reference model of the namespace as root sees it: plain objects, plain rules, no store.
// Compared with the real one under random operations.
import { isFsError, FsError, type ErrnoName } from "../../domain/errno.ts";

export interface ModelFile {
  kind: "file";
  nlink: number;
  opens: number;
  size: number;
  /** Bytes that aren't zero, by offset. */
  bytes: Map<number, number>;
}

export interface ModelDirectory {
  kind: "directory";
  parent: ModelDirectory | undefined;
  entries: Map<string, ModelNode>;
}

export type ModelNode = ModelFile | ModelDirectory;

/** Paths are lists of names from the root. */
export type Path = readonly string[];

const fail = (code: ErrnoName): never => {
  throw new FsError(code, "model");
};

export class ModelTree {
  readonly root: ModelDirectory = { kind: "directory", parent: undefined, entries: new Map() };
  readonly held: ModelFile[] = [];

  resolve(path: Path): ModelNode {
    let node: ModelNode = this.root;
    for (const name of path) {
      if (node.kind !== "directory") return fail("ENOTDIR");
      node = node.entries.get(name) ?? fail("ENOENT");
    }
    return node;
  }

  #parent(path: Path): [ModelDirectory, string] {
    const node = this.resolve(path.slice(0, -1));
    if (node.kind !== "directory") return fail("ENOTDIR");
    return [node, path.at(-1) ?? fail("EINVAL")];
  }

  #vacancy(path: Path): [ModelDirectory, string] {
    const [parent, name] = this.#parent(path);
    if (parent.entries.has(name)) fail("EEXIST");
    return [parent, name];
  }

  create(path: Path): void {
    const [parent, name] = this.#vacancy(path);
    const file: ModelFile = { kind: "file", nlink: 1, opens: 1, size: 0, bytes: new Map() };
    parent.entries.set(name, file);
    this.held.push(file);
  }

  mkdir(path: Path): void {
    const [parent, name] = this.#vacancy(path);
    parent.entries.set(name, { kind: "directory", parent, entries: new Map() });
  }

  link(from: Path, path: Path): void {
    const node = this.resolve(from);
    const [parent, name] = this.#vacancy(path);
    if (node.kind === "directory") fail("EPERM");
    else {
      node.nlink += 1;
      parent.entries.set(name, node);
    }
  }

  unlink(path: Path): void {
    const [parent, name] = this.#parent(path);
    const node = parent.entries.get(name) ?? fail("ENOENT");
    if (node.kind === "directory") fail("EISDIR");
    else {
      node.nlink -= 1;
      parent.entries.delete(name);
    }
  }

  rmdir(path: Path): void {
    const [parent, name] = this.#parent(path);
    const node = parent.entries.get(name) ?? fail("ENOENT");
    if (node.kind !== "directory") fail("ENOTDIR");
    else if (node.entries.size > 0) fail("ENOTEMPTY");
    else parent.entries.delete(name);
  }

  /** flags: 0, 1 (no replacing) or 2 (exchange). */
  rename(from: Path, to: Path, flags: number): void {
    const [source, name] = this.#parent(from);
    const [target, newName] = this.#parent(to);
    const node = source.entries.get(name) ?? fail("ENOENT");
    const existing = target.entries.get(newName);
    if (existing === undefined && flags === 2) fail("ENOENT");
    if (existing !== undefined && flags === 1) fail("EEXIST");
    if (existing === node) return;
    if (isWithin(target, node) && source !== target) fail("EINVAL");
    if (existing !== undefined && flags === 2) {
      if (isWithin(source, existing) && source !== target) fail("EINVAL");
      source.entries.set(name, existing);
      target.entries.set(newName, node);
      if (existing.kind === "directory") existing.parent = source;
    } else {
      if (existing !== undefined) replaceable(node, existing);
      source.entries.delete(name);
      target.entries.set(newName, node);
    }
    if (node.kind === "directory") node.parent = target;
  }

  open(path: Path): void {
    const node = this.resolve(path);
    if (node.kind === "directory") fail("EISDIR");
    else {
      node.opens += 1;
      this.held.push(node);
    }
  }

  release(index: number): void {
    const [file] = this.held.splice(index, 1);
    if (file !== undefined) file.opens -= 1;
  }

  write(file: ModelFile, offset: number, bytes: Uint8Array): void {
    bytes.forEach((byte, index) => file.bytes.set(offset + index, byte));
    file.size = Math.max(file.size, offset + bytes.length);
  }

  truncate(file: ModelFile, size: number): void {
    for (const offset of [...file.bytes.keys()]) if (offset >= size) file.bytes.delete(offset);
    file.size = size;
  }
}

function isWithin(directory: ModelDirectory, node: ModelNode): boolean {
  for (let up: ModelDirectory | undefined = directory; up !== undefined; up = up.parent) {
    if (up === node) return true;
  }
  return false;
}

function replaceable(node: ModelNode, existing: ModelNode): void {
  if (existing.kind === "file") {
    if (node.kind === "directory") fail("ENOTDIR");
    existing.nlink -= 1;
  } else if (node.kind === "file") fail("EISDIR");
  else if (existing.entries.size > 0) fail("ENOTEMPTY");
}

/** The errno of a model step, or "ok". */
export function modelErrno(step: () => void): ErrnoName | "ok" {
  try {
    step();
    return "ok";
  } catch (error) {
    if (isFsError(error)) return error.code;
    throw error;
  }
}
