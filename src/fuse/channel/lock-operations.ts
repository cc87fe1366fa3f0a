// flock(2) and fcntl(2) locks. The kernel keeps none itself: it asks for each, and sends FLUSH at
// every close, with which a process gives its fcntl locks up.
import { FsError } from "../../domain/errno.ts";
import { LOCK_END, toLockOwner, type LockOwner, type LockType } from "../../domain/file-lock.ts";
import type { Ino } from "../../domain/ids.ts";
import type { LockConflict } from "../../protocol/meta/meta-service.ts";
import type { FileHandle, FileLockRequest, LockResult, MaybePromise } from "../../vfs/vfs.ts";
import type { Frame } from "./frame.ts";
import { encodeNothing, thenDo, type Operation, type OperationContext } from "./operation.ts";
import { F_RDLCK, F_UNLCK, F_WRLCK, LK_FLOCK } from "./wire.ts";

/** struct fuse_lk_in: fh, owner, start, end, type, pid, flags. */
const LK_IN_BYTES = 48;

/** The lock_owner at `offset` of the body. */
export function lockOwnerAt(frame: Frame, offset: number): LockOwner {
  return toLockOwner(frame.u32(offset + 4), frame.u32(offset));
}

interface Done extends LockResult {
  readonly ino: Ino;
  readonly fh: FileHandle;
  readonly request: FileLockRequest;
}

function readRequest(frame: Frame): FileLockRequest {
  return {
    space: (frame.u32(40) & LK_FLOCK) === 0 ? "fcntl" : "flock",
    owner: lockOwnerAt(frame, 8),
    start: bigintAt(frame, 16),
    // The kernel's end is the last byte locked.
    end: bigintAt(frame, 24) + 1n,
    type: typeOf(frame.u32(32)),
    pid: frame.u32(36),
  };
}

function bigintAt(frame: Frame, offset: number): bigint {
  return (BigInt(frame.u32(offset + 4)) << 32n) | BigInt(frame.u32(offset));
}

function typeOf(number: number): LockType | "unlock" {
  if (number === F_RDLCK) return "read";
  if (number === F_WRLCK) return "write";
  if (number === F_UNLCK) return "unlock";
  throw new FsError("EINVAL", `unknown type of lock: ${number}`);
}

function lock(
  { vfs }: OperationContext,
  frame: Frame,
  signal: AbortSignal | undefined,
): MaybePromise<Done> {
  if (vfs.setlk === undefined) throw new FsError("ENOSYS", "locks are not offered");
  const request = readRequest(frame);
  if (request.start >= request.end || request.end > LOCK_END) {
    throw new FsError("EINVAL", "a lock of no bytes");
  }
  const { ino } = frame;
  const fh = frame.u64(0);
  return thenDo(vfs.setlk(fh, request, signal), ({ stale }) => ({ stale, ino, fh, request }));
}

/** Its caller has died, or the kernel has no room: it must not stay locked. */
function giveBack({ vfs }: OperationContext, { fh, request }: Done): void {
  const given = vfs.setlk?.(fh, { ...request, type: "unlock" });
  // With the handle gone, what was its own is free already.
  if (given instanceof Promise) given.catch(() => undefined);
}

export const setlk: Operation<Done> = {
  name: "SETLK",
  minBodyBytes: LK_IN_BYTES,
  run: (context, frame) => lock(context, frame, undefined),
  encode: encodeNothing,
  reliesOnPages: ({ stale, ino, request }) =>
    request.type === "unlock" ? undefined : { ino, stale },
  discard: giveBack,
};

export const setlkw: Operation<Done> = { ...setlk, name: "SETLKW", interruptible: true, run: lock };

export const getlk: Operation<LockConflict | undefined> = {
  name: "GETLK",
  minBodyBytes: LK_IN_BYTES,
  run({ vfs }, frame) {
    if (vfs.getlk === undefined) throw new FsError("ENOSYS", "locks are not offered");
    const { type, ...wanted } = readRequest(frame);
    if (type === "unlock") throw new FsError("EINVAL", "an unlock conflicts with nothing");
    return vfs.getlk(frame.u64(0), { ...wanted, type });
  },
  encode(reply, held) {
    if (held === undefined) return reply.putU32(reply.putU32(reply.putZeroes(0, 16), F_UNLCK), 0);
    const last = held.end - 1n;
    let at = 0;
    for (const half of [held.start, held.start >> 32n, last, last >> 32n]) {
      at = reply.putU32(at, Number(half & 0xffff_ffffn));
    }
    at = reply.putU32(at, held.type === "write" ? F_WRLCK : F_RDLCK);
    return reply.putU32(at, held.pid);
  },
};
