// Looks at an lmdb file before lmdb maps it, since that ends the process (a segmentation fault or a
// bus error) where the file isn't one. The layout is that of lmdb-js's LMDB 0.9.90, mdb.c: MDB_meta
// behind a page header of 24 bytes, in the first two pages.
import { closeSync, existsSync, fstatSync, openSync, readSync, statfsSync } from "node:fs";
import { dirname, join } from "node:path";
import { FsError } from "../../domain/errno.ts";

const FILE = "data.mdb";
/** The lock file, a transaction, and the journal or record that a start writes beside them. */
const START_BYTES = 256 * 1024;
const MAGIC = 0xbeefc0de;
const MAGIC_AT = 24;
const PAGE_BYTES_AT = 48;
/** Roots of the trees of free pages and of tables. */
const ROOTS_AT = [88, 136];
const META_BYTES = 168;
const NO_ROOT = 2n ** 64n - 1n;

/** Without room lmdb's mapped pages would end the process. @throws FsError ENOSPC */
export function requireRoom(directory: string, what: string): void {
  const { bavail, bsize } = statfsSync(existingAt(directory));
  if (bavail * bsize >= START_BYTES) return;
  const text = `${what} can't be opened: ${directory} has ${bavail * bsize} bytes left on its disk`;
  throw new FsError("ENOSPC", `${text}; make room for ${START_BYTES} bytes and start again`);
}

function existingAt(path: string): string {
  for (let at = path; ; at = dirname(at)) {
    if (existsSync(at) || at === dirname(at)) return at;
  }
}

/** A file that is missing or empty is none yet. @throws FsError EIO */
export function requireLmdbFile(directory: string, what: string): void {
  const wrong = faultOf(join(directory, FILE));
  if (wrong === undefined) return;
  throw new FsError("EIO", `${what} is damaged: ${join(directory, FILE)} ${wrong}`);
}

function faultOf(path: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    // Node's own error; what else stands against opening it lmdb tells as well.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    if (size === 0) return undefined;
    const first = readMeta(fd, 0);
    const second = readMeta(fd, first?.readUInt32LE(PAGE_BYTES_AT) ?? 0);
    if (first === undefined || second === undefined) return "is no lmdb file";
    // The newer one may tell of pages that a power cut took; lmdb takes the older one then.
    return [first, second].some((meta) => isWithin(meta, size)) ? undefined : "is cut short";
  } finally {
    closeSync(fd);
  }
}

/** Undefined where there is none. */
function readMeta(fd: number, position: number): Buffer | undefined {
  const meta = Buffer.alloc(META_BYTES);
  if (readSync(fd, meta, 0, META_BYTES, position) < META_BYTES) return undefined;
  return meta.readUInt32LE(MAGIC_AT) === MAGIC ? meta : undefined;
}

function isWithin(meta: Buffer, sizeBytes: number): boolean {
  const pageBytes = BigInt(meta.readUInt32LE(PAGE_BYTES_AT));
  return ROOTS_AT.map((at) => meta.readBigUInt64LE(at)).every(
    (root) => root === NO_ROOT || (root + 1n) * pageBytes <= BigInt(sizeBytes),
  );
}
