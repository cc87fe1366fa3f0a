// Files with content that follows from a seed: written, and later compared byte by byte, without
// keeping a copy. DFS_SEED replays a run.
import { createCipheriv, randomInt } from "node:crypto";
import { mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ExecutionContext } from "ava";

const PIECE_BYTES = 1024 * 1024;
export const MIB = 1024 * 1024;

export interface SeededFile {
  /** Relative path. */
  name: string;
  sizeBytes: number;
  seed: number;
}

/** Draws a seed, or takes DFS_SEED, and tells the test's log. */
export function drawSeed(t: ExecutionContext): number {
  const given = process.env["DFS_SEED"];
  const seed = given === undefined ? randomInt(2 ** 31) : Number(given);
  t.log(`DFS_SEED=${seed}`);
  return seed;
}

/** Files of these sizes with names and content of their own. */
export function seededFiles(seed: number, sizes: readonly number[], prefix = ""): SeededFile[] {
  return sizes.map((sizeBytes, i) => {
    return { name: `${prefix}file-${i}-${sizeBytes}`, sizeBytes, seed: seed + i };
  });
}

/** The bytes of the file, piece by piece: AES-CTR's key stream, which nothing compresses. */
function* contentOf(file: SeededFile): Generator<Buffer> {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(file.seed >>> 0);
  const cipher = createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
  const zeroes = Buffer.alloc(PIECE_BYTES);
  for (let left = file.sizeBytes; left > 0; left -= PIECE_BYTES) {
    yield cipher.update(zeroes.subarray(0, Math.min(left, PIECE_BYTES)));
  }
}

/** Writes and closes the file: when this resolves the close was acknowledged. */
export async function writeSeeded(directory: string, file: SeededFile): Promise<void> {
  const path = join(directory, file.name);
  await mkdir(dirname(path), { recursive: true });
  const handle = await open(path, "w");
  try {
    for (const piece of contentOf(file)) await handle.writeFile(piece);
  } finally {
    await handle.close();
  }
}

export async function writeAllSeeded(
  directory: string,
  files: readonly SeededFile[],
): Promise<void> {
  for (const file of files) await writeSeeded(directory, file);
}

/**
 * How many bytes of the file on disk are right, from its start; -1 when it has a wrong byte or is
 * longer than it should be. Equal to sizeBytes: it is whole.
 * Rejects as open and read do.
 */
export async function rightBytes(directory: string, file: SeededFile): Promise<number> {
  const handle = await open(join(directory, file.name), "r");
  try {
    const buffer = Buffer.alloc(PIECE_BYTES);
    let right = 0;
    for (const expected of contentOf(file)) {
      const got = await readFully(handle, buffer.subarray(0, expected.length), right);
      if (!buffer.subarray(0, got).equals(expected.subarray(0, got))) return -1;
      right += got;
      if (got < expected.length) return right;
    }
    const { bytesRead } = await handle.read(buffer, 0, 1, right);
    return bytesRead === 0 ? right : -1;
  } finally {
    await handle.close();
  }
}

async function readFully(
  handle: Awaited<ReturnType<typeof open>>,
  target: Buffer,
  position: number,
): Promise<number> {
  let filled = 0;
  while (filled < target.length) {
    const { bytesRead } = await handle.read(
      target,
      filled,
      target.length - filled,
      position + filled,
    );
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

/** Asserts that every file is there, whole and byte-identical. */
export async function assertAllWhole(
  t: ExecutionContext,
  directory: string,
  files: readonly SeededFile[],
  when: string,
): Promise<void> {
  for (const file of files) {
    const right = await rightBytes(directory, file);
    if (right !== file.sizeBytes) {
      t.fail(`${when}: ${file.name} has ${right} right bytes of ${file.sizeBytes}`);
      return;
    }
  }
  t.pass();
}

/** Milliseconds that `work` took. */
export async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const beginMs = performance.now();
  await work();
  return performance.now() - beginMs;
}
