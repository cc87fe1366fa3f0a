// A VFS over memory for tests, with small geometry so that a few bytes cross many boundaries.
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { type Ino, ROOT_INO } from "../../domain/ids.ts";
import { toName } from "../../domain/name.ts";
import { silentLog } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import { DfsVfs, type DfsVfsOptions } from "../../vfs/open/dfs-vfs.ts";
import { DEFAULT_GEOMETRY, type Geometry } from "../../vfs/geometry.ts";
import { O_CREAT, O_RDWR, type OpenResult } from "../../vfs/vfs.ts";
import { MemoryBlockStore } from "./block-memory.ts";
import { FakeClock } from "../fake-clock.ts";
import { type TestSession, TestNamespace } from "./vfs-meta.ts";

/** Blocks of 64 bytes, four to a slice, cells of 16, inline up to 16 bytes. */
export const TINY_GEOMETRY: Geometry = {
  blockBytes: 64,
  blocksPerSlice: 4,
  inlineBytes: 16,
  cellBytes: 16,
};

export interface TestMountOptions extends Partial<Omit<DfsVfsOptions, "meta" | "clock">> {
  /** Shares the namespace (and usually the blocks) of another mount: a second client. */
  namespace?: TestNamespace;
  clock?: Clock;
}

export interface TestMount {
  vfs: DfsVfs;
  meta: TestSession;
  blocks: MemoryBlockStore;
  namespace: TestNamespace;
  clock: FakeClock;
}

export async function testMount(
  options: Omit<TestMountOptions, "blocks" | "clock"> & {
    blocks?: MemoryBlockStore;
    clock?: FakeClock;
  } = {},
): Promise<TestMount> {
  const clock = options.clock ?? new FakeClock();
  const blocks = options.blocks ?? new MemoryBlockStore();
  const namespace = options.namespace ?? (await TestNamespace.create(clock));
  const meta = await namespace.newSession();
  const vfs = new DfsVfs({
    geometry: DEFAULT_GEOMETRY,
    log: silentLog,
    ...options,
    meta,
    blocks,
    clock,
  });
  return { vfs, meta, blocks, namespace, clock };
}

export function createFile(
  vfs: DfsVfs,
  name: string,
  flags = O_RDWR,
  parent: Ino = ROOT_INO,
): Promise<OpenResult> {
  return vfs.create(ROOT_CALLER, parent, toName(name), 0o100644, O_CREAT | flags);
}

export async function readAll(
  vfs: DfsVfs,
  fh: number,
  offset = 0,
  size = 1 << 20,
): Promise<Buffer> {
  return Buffer.concat(await vfs.read(fh, offset, size));
}

/** Bytes that tell where they belong: no two places within 64 KiB look alike. */
export function patternBytes(length: number, seed = 0): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let index = 0; index < length; index += 1) {
    bytes[index] = (index * 31 + (index >> 8) * 17 + seed * 101 + 7) & 0xff;
  }
  return bytes;
}
