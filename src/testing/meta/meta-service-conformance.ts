// What every MetaService must do alike: a fixed list of requests, each of which names the operation
// it is for, and what each gives. Begins on an empty namespace, with the session's first request.
import type { ExecutionContext } from "ava";
import { ROOT_CALLER, type Caller } from "../../domain/attributes.ts";
import { isFsError, type ErrnoName } from "../../domain/errno.ts";
import { LOCK_END, type LockOwner } from "../../domain/file-lock.ts";
import { ROOT_INO, type Ino, type NodeId, type PoolId, type SliceId } from "../../domain/ids.ts";
import { toName } from "../../domain/name.ts";
import type { MetaOperation } from "../../protocol/meta/meta-operations.ts";
import type {
  DamageReport,
  ExtentCommit,
  LockRequest,
  MetaService,
} from "../../protocol/meta/meta-service.ts";

const A = toName("a");
const B = toName("b");
const C = toName("\xe4\xff");
const NO = toName("no");
const STRANGER = { uid: 7, gid: 7, groups: [8] };
const READ = { read: true, write: false, truncate: false };
/** Inode numbers are handed out in order, so a fixed list of steps knows that of the first. */
const DIR = 2 as Ino;

interface Step {
  readonly operation: MetaOperation;
  readonly what: string;
  readonly run: (meta: MetaService) => Promise<unknown>;
  readonly fails: ErrnoName | undefined;
}

function step(operation: MetaOperation, what: string, run: Step["run"], fails?: ErrnoName): Step {
  return { operation, what, run, fails };
}

const damage: DamageReport = {
  shard: { pool: 1 as PoolId, pg: 3, slice: 256 as SliceId, index: 0, slot: 1 },
  kind: "missing",
  node: "00000000000a" as NodeId,
};

const CHANGES_OF_ATTRIBUTES = {
  ...{ mode: 0o600, uid: 5, sizeBytes: 3 },
  ...{ atime: { sec: -1, nsec: 5 }, mtime: "now" as const },
};

export const META_STEPS: readonly Step[] = [
  step("mkdir", "a directory", (m) => m.mkdir(ROOT_CALLER, ROOT_INO, A, 0o755)),
  step("mkdir", "again", (m) => m.mkdir(ROOT_CALLER, ROOT_INO, A, 0o755), "EEXIST"),
  step("mkdir", "as a stranger", (m) => m.mkdir(STRANGER, ROOT_INO, B, 0o755), "EACCES"),
  step("lookup", "a name", (m) => m.lookup(ROOT_CALLER, ROOT_INO, A)),
  step("lookup", "nothing", (m) => m.lookup(ROOT_CALLER, ROOT_INO, NO), "ENOENT"),
  step("create", "a file", (m) => create(m, true)),
  step("create", "exclusively again", (m) => create(m, true), "EEXIST"),
  step("create", "what exists", (m) => create(m, false)),
  step("mknod", "a device", (m) =>
    m.mknod(ROOT_CALLER, ROOT_INO, B, { mode: 0o020666, rdev: 259 }),
  ),
  step("symlink", "any bytes", (m) =>
    m.symlink(ROOT_CALLER, ROOT_INO, toName("l"), "to/\xfe where"),
  ),
  step("readdir", "a page with attributes", (m) => m.readdir(ROOT_CALLER, ROOT_INO, 0, 2, true)),
  step("readdir", "all without", (m) => m.readdir(ROOT_CALLER, ROOT_INO, 0, 1000, false)),
  step("readlink", "a symlink", async (m) => m.readlink(ROOT_CALLER, await inoOf(m, "l"))),
  step("readlink", "a directory", (m) => m.readlink(ROOT_CALLER, ROOT_INO), "EINVAL"),
  // Which range it is depends on how often it was asked for.
  step("allocateSlices", "a range", async (m) => (await m.allocateSlices()).count),
  step("commit", "inline", async (m) => commit(m, await inoOf(m, C), 0, Buffer.from("hello"))),
  step("commit", "stripes", async (m) => commit(m, await inoOf(m, C), 1)),
  step("commit", "with attributes", async (m) => commitWith(m, await inoOf(m, C), ROOT_CALLER)),
  step("commit", "with attributes of a stranger's", async (m) =>
    commitWith(m, await inoOf(m, C), STRANGER),
  ),
  step("syncFile", "with stripes committed as durable", async (m) =>
    m.syncFile(await inoOf(m, C), 0 as SliceId),
  ),
  step("commit", "stripes that aren't on disk", async (m) =>
    commit(m, await inoOf(m, C), 3, undefined, false),
  ),
  step("syncFile", "with those", async (m) => m.syncFile(await inoOf(m, C), 0 as SliceId)),
  step("syncFile", "of nothing", (m) => m.syncFile(999 as Ino, 0 as SliceId), "ENOENT"),
  step("syncSession", "from the start", (m) => m.syncSession(undefined)),
  step("syncSession", "behind the last", async (m) =>
    m.syncSession({ ino: await inoOf(m, C), slice: extentOf(3).slice }),
  ),
  step("settle", "a slice", async (m) =>
    m.settle([{ ino: await inoOf(m, C), slice: extentOf(3).slice }]),
  ),
  step("syncFile", "of what is settled", async (m) => m.syncFile(await inoOf(m, C), 0 as SliceId)),
  step("commit", "a slice twice", async (m) => commit(m, await inoOf(m, C), 1), "EINVAL"),
  step("abandon", "a slice of one's own", (m) => m.abandon([extentOf(2)])),
  step("extents", "of chunks and none", async (m) => m.extents(await inoOf(m, C), [0, 1, 5])),
  step("open", "a file", async (m) => m.open(ROOT_CALLER, await inoOf(m, C), READ)),
  step("open", "a device", async (m) => m.open(ROOT_CALLER, await inoOf(m, B), READ), "ENXIO"),
  step("getattr", "a file", async (m) => m.getattr(await inoOf(m, C))),
  step("setattr", "many at once", async (m) =>
    m.setattr(ROOT_CALLER, await inoOf(m, C), CHANGES_OF_ATTRIBUTES, false),
  ),
  step("setxattr", "bytes", (m) => m.setxattr(ROOT_CALLER, DIR, "user.x", Buffer.of(0, 255), 0)),
  step("getxattr", "bytes", (m) => m.getxattr(ROOT_CALLER, DIR, "user.x")),
  step("getxattr", "nothing", (m) => m.getxattr(ROOT_CALLER, DIR, "user.y"), "ENODATA"),
  step("listxattr", "names", (m) => m.listxattr(ROOT_CALLER, DIR)),
  step("removexattr", "one", (m) => m.removexattr(ROOT_CALLER, DIR, "user.x")),
  step("link", "a second name", async (m) => m.link(ROOT_CALLER, await inoOf(m, C), DIR, A)),
  step("rename", "a name", (m) => m.rename(ROOT_CALLER, DIR, A, ROOT_INO, NO, 0)),
  step("rename", "nothing", (m) => m.rename(ROOT_CALLER, DIR, A, ROOT_INO, NO, 0), "ENOENT"),
  step("createUnnamed", "a file", (m) => m.createUnnamed(ROOT_CALLER, ROOT_INO, 0o600)),
  step(
    "createUnnamed",
    "as a stranger",
    (m) => m.createUnnamed(STRANGER, ROOT_INO, 0o600),
    "EACCES",
  ),
  step("nextData", "from the start", async (m) => m.nextData(await inoOf(m, C), 0)),
  step("changeRange", "a hole", async (m) => changeRange(m, await inoOf(m, C), 100)),
  step("changeRange", "nothing", async (m) => changeRange(m, await inoOf(m, C), 0), "EINVAL"),
  step("copyRange", "within a file", async (m) => copyRange(m, await inoOf(m, C), 50)),
  step("copyRange", "onto itself", async (m) => copyRange(m, await inoOf(m, C), 2), "EINVAL"),
  step("setlk", "a free range", (m) => m.setlk(lock("a", "write", 0))),
  step("getlk", "what stands against it", (m) =>
    m.getlk({ ...lock("b", "read", 0), type: "read" }),
  ),
  step("getlk", "nothing against one's own", (m) =>
    m.getlk({ ...lock("a", "write", 0), type: "write" }),
  ),
  step("setlk", "what another owner holds", (m) => m.setlk(lock("b", "write", 0)), "EAGAIN"),
  step("setlk", "and wait for it", (m) => m.setlk(lock("b", "write", 5))),
  step("cancelLock", "a wait", (m) => m.cancelLock(lock("b", "write", 5))),
  step("setlk", "unlock", (m) => m.setlk(lock("a", "unlock", 0))),
  step("unlink", "a file", (m) => m.unlink(ROOT_CALLER, ROOT_INO, NO)),
  step("rmdir", "a directory", (m) => m.rmdir(ROOT_CALLER, ROOT_INO, A)),
  step("release", "a file", async (m) => m.release([await inoOf(m, C)])),
  step("statfs", "the cluster", (m) => m.statfs()),
  step("maps", "older ones", async (m) => (await m.maps()).older),
  step("syncMetadata", "all of it", (m) => m.syncMetadata()),
  step("reportDamage", "a shard", (m) => m.reportDamage([damage])),
];

/** What every step gives, in order; asserts which fail, and how. */
export async function metaOutcomes(t: ExecutionContext, meta: MetaService): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const { operation, what, run, fails } of META_STEPS) {
    let failure: ErrnoName | undefined;
    const result = await run(meta).catch((error: unknown) => {
      if (!isFsError(error)) throw error;
      failure = error.code;
    });
    t.is(failure, fails, `${operation} ${what}`);
    results.push([operation, what, asPlain(result)]);
  }
  return results;
}

/** Bytes as lists, whatever holds them; numbers of 64 bits as text. */
function asPlain(result: unknown): unknown {
  const text = JSON.stringify(result ?? null, (_, value: unknown) => {
    return typeof value === "bigint" ? String(value) : value;
  });
  return JSON.parse(text);
}

async function inoOf(meta: MetaService, name: string): Promise<Ino> {
  return (await meta.lookup(ROOT_CALLER, ROOT_INO, toName(name))).ino;
}

function create(meta: MetaService, exclusive: boolean): Promise<unknown> {
  return meta.create(ROOT_CALLER, ROOT_INO, C, { mode: 0o104755 }, exclusive);
}

/** The first allocated range begins at 256. */
function extentOf(chunk: number): ExtentCommit {
  const slice = (256 + chunk) as SliceId;
  return { chunk, posInChunk: 7, lengthBytes: 5, slice, pool: 1 as PoolId };
}

function commit(
  meta: MetaService,
  ino: Ino,
  chunk: number,
  inline?: Uint8Array,
  durable = true,
): Promise<unknown> {
  const extent = extentOf(chunk);
  return meta.commit({
    ino,
    extents: [inline === undefined ? extent : { ...extent, inline }],
    minSizeBytes: 100,
    mtime: { sec: 12, nsec: 34 },
    killPrivileges: true,
    durable,
  });
}

/** Brings no data, only the time of some, and what is to be behind it. */
function commitWith(meta: MetaService, ino: Ino, caller: Caller): Promise<unknown> {
  return meta.commit({
    ...{ ino, extents: [], minSizeBytes: 0, mtime: { sec: 1, nsec: 2 } },
    ...{ killPrivileges: true, durable: false },
    setattr: { caller, changes: { mode: 0o4751, mtime: { sec: 5, nsec: 6 } }, handleOpen: false },
  });
}

function changeRange(meta: MetaService, ino: Ino, lengthBytes: number): Promise<unknown> {
  const how = { clear: true, extend: true, killPrivileges: true };
  return meta.changeRange({ ino, offset: 9, lengthBytes, ...how });
}

function copyRange(meta: MetaService, ino: Ino, targetOffset: number): Promise<unknown> {
  const range = { source: ino, sourceOffset: 0, target: ino, targetOffset, lengthBytes: 20 };
  return meta.copyRange({ ...range, killPrivileges: false });
}

function lock(digit: string, type: LockRequest["type"], wait: number): LockRequest {
  const owner = digit.repeat(16) as LockOwner; // sixteen hex digits
  return { ino: DIR, space: "fcntl", owner, type, pid: 3, wait, start: 1n, end: LOCK_END };
}
