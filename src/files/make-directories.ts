// Directories by path, alone or with their parents.
import { type Attr, isDirectory } from "../domain/attributes.ts";
import { FsError, isFsError } from "../domain/errno.ts";
import type { Ino, Name } from "../domain/ids.ts";
import type { FileAccess } from "./file-access.ts";
import { type FilePath, formatPath } from "./file-path.ts";
import { PathWalker } from "./path-walker.ts";

/** @throws FsError EEXIST, with the path in the message; ENOENT when the parent is missing */
export async function makeDirectory(
  access: FileAccess,
  path: FilePath,
  mode: number,
): Promise<void> {
  const { parent, name } = await new PathWalker(access).resolveParent(path);
  try {
    await access.vfs.mkdir(access.caller, parent.ino, name, mode);
  } catch (error) {
    throw isFsError(error, "EEXIST") ? existsAlready(path, error) : error;
  }
}

/**
 * Makes what is missing of the path: its last directory with `mode`, those above with `parentMode`.
 * @throws FsError EEXIST when something else than a directory, or a link to one, is in the way
 */
export async function makeDirectories(
  access: FileAccess,
  path: FilePath,
  mode: number,
  parentMode: number,
): Promise<void> {
  const walker = new PathWalker(access);
  for (let depth = 1; depth <= path.length; depth += 1) {
    const above = path.slice(0, depth);
    try {
      await makeDirectory(access, above, depth === path.length ? mode : parentMode);
    } catch (error) {
      if (!isFsError(error, "EEXIST")) throw error;
      if (!isDirectory((await walker.resolve(above)).mode)) throw error;
    }
  }
}

/**
 * The directory of that name, made unless it is there.
 * @throws FsError EEXIST when something else has the name
 */
export async function ensureDirectory(
  { vfs, caller }: FileAccess,
  parent: Ino,
  name: Name,
  mode: number,
): Promise<Attr> {
  try {
    return await vfs.mkdir(caller, parent, name, mode);
  } catch (error) {
    if (!isFsError(error, "EEXIST")) throw error;
    const attr = await vfs.lookup(caller, parent, name);
    if (!isDirectory(attr.mode)) throw error;
    return attr;
  }
}

function existsAlready(path: FilePath, cause: unknown): FsError {
  return new FsError("EEXIST", `${formatPath(path)} exists already`, { cause });
}
