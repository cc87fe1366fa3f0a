// A file system in memory for tests of files: what is there as text, by path.
import { systemRandom } from "../../platform/random.ts";
import { type Attr, ROOT_CALLER } from "../../domain/attributes.ts";
import { nameFromUtf8 } from "../../domain/name.ts";
import type { FileAccess } from "../../files/file-access.ts";
import { type FilePath, splitPath } from "../../files/file-path.ts";
import { PathWalker } from "../../files/path-walker.ts";
import { putFile } from "../../files/put-file.ts";
import { readFile } from "../../files/read-file.ts";
import { type MemoryVfsOptions, MemoryVfs } from "../fuse/fuse-memory-vfs.ts";

export interface MemoryAccess extends FileAccess {
  readonly vfs: MemoryVfs;
}

export function memoryAccess(options?: MemoryVfsOptions): MemoryAccess {
  return { vfs: new MemoryVfs(options), caller: ROOT_CALLER, random: systemRandom };
}

export function pathOf(text: string): FilePath {
  return splitPath(text).map(nameFromUtf8);
}

export function find(access: FileAccess, path: string): Promise<Attr> {
  return new PathWalker(access).resolve(pathOf(path));
}

export async function* piecesOf(...texts: string[]): AsyncGenerator<Uint8Array, void> {
  for (const text of texts) yield await Promise.resolve(Buffer.from(text));
}

export async function putText(access: FileAccess, path: string, text: string): Promise<void> {
  const { parent, name } = await new PathWalker(access).resolveParent(pathOf(path));
  const target = { parent: parent.ino, name, mode: 0o644 };
  await putFile(access, piecesOf(text), target, { advance: () => undefined });
}

export async function readText(access: FileAccess, path: string): Promise<string> {
  const copies: Buffer[] = [];
  for await (const piece of readFile(access, (await find(access, path)).ino)) {
    copies.push(Buffer.from(piece));
  }
  return Buffer.concat(copies).toString();
}
