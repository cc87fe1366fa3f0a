// Operations on open files.
import { S_ISGID, S_ISUID } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import {
  O_ACCMODE,
  O_APPEND,
  O_TRUNC,
  type FileHandle,
  type OpenResult,
  type Vfs,
} from "../../vfs/vfs.ts";
import { lockOwnerAt } from "./lock-operations.ts";
import { encodeNothing, thenDo, type Operation, type OperationContext } from "./operation.ts";
import {
  FOPEN_KEEP_CACHE,
  FOPEN_NOFLUSH,
  FSYNC_DATA_ONLY,
  MAX_REQUEST_DATA_BYTES,
  OPEN_KILL_SUIDGID,
  WRITE_IN_BYTES,
  WRITE_KILL_SUIDGID,
} from "./wire.ts";

interface Opened extends OpenResult {
  readonly noFlush: boolean;
}

function openFlags(opened: Opened): number {
  const keepCache = opened.keepCache ? FOPEN_KEEP_CACHE : 0;
  return keepCache | (opened.noFlush ? FOPEN_NOFLUSH : 0);
}

/**
 * Nothing was written through a handle for reading: its close needs no request of its own, except
 * that any close by a process gives up the fcntl locks it has on the file, which the kernel says no
 * other way.
 */
function closesSilently(vfs: Vfs, flags: number): boolean {
  return (flags & O_ACCMODE) === 0 && vfs.setlk === undefined;
}

function releaseUnseen({ vfs }: OperationContext, fh: FileHandle): void {
  const released = vfs.release(fh);
  // Nobody is left to be told: the Vfs has said what is to be said of data that wasn't kept.
  if (released instanceof Promise) released.catch(() => undefined);
}

/**
 * Told that an inode is stale, the kernel looks the name up again: it finds the inode that the name
 * has by now, and learns the size, which it must know before it appends, since it asks nobody then.
 */
function lookAgainIfStale(
  context: OperationContext,
  { fh, attr }: OpenResult,
  flags: number,
  thread: number,
): void {
  const appends = (flags & (O_APPEND | O_TRUNC)) === O_APPEND;
  if (!context.told.mustLookAgain(attr, appends, thread)) return;
  releaseUnseen(context, fh);
  throw new FsError("ESTALE", `inode ${attr.ino} was changed by another client`);
}

export const open: Operation<Opened> = {
  name: "OPEN",
  minBodyBytes: 8,
  run(context, frame) {
    const { vfs } = context;
    const { caller, ino, pid } = frame;
    const flags = frame.u32(0);
    // The kernel leaves it to us to clear suid and sgid where it truncates.
    const kills = (flags & O_TRUNC) !== 0 && (frame.u32(4) & OPEN_KILL_SUIDGID) !== 0;
    return thenDo(vfs.open(caller, ino, flags), (opened) => {
      lookAgainIfStale(context, opened, flags, pid);
      const noFlush = closesSilently(vfs, flags);
      const { fh, attr, keepCache } = opened;
      if (!kills || (attr.mode & (S_ISUID | S_ISGID)) === 0) {
        return { fh, attr, keepCache, noFlush };
      }
      const changed = vfs.setattr(caller, ino, { killPrivileges: true }, fh);
      return thenDo(changed, (now) => ({ fh, attr: now, keepCache, noFlush }));
    });
  },
  encode: (reply, opened) => reply.putOpenOut(0, opened.fh, openFlags(opened)),
  settles: (opened) => opened.attr,
  discard: (context, opened) => releaseUnseen(context, opened.fh),
};

export const create: Operation<Opened> = {
  name: "CREATE",
  minBodyBytes: 18,
  run({ vfs }, frame) {
    const flags = frame.u32(0);
    const created = vfs.create(frame.creator(8), frame.ino, frame.name(16), frame.u32(4), flags);
    const noFlush = closesSilently(vfs, flags);
    return thenDo(created, ({ fh, attr, keepCache }) => ({ fh, attr, keepCache, noFlush }));
  },
  encode(reply, opened) {
    return reply.putOpenOut(reply.putEntryOut(0, opened.attr), opened.fh, openFlags(opened));
  },
  discard(context, opened) {
    releaseUnseen(context, opened.fh);
    context.vfs.forget(opened.attr.ino, 1);
  },
};

/** O_TMPFILE: the body is CREATE's, but what follows it is no name. */
export const tmpfile: Operation<Opened> = {
  ...create,
  name: "TMPFILE",
  minBodyBytes: 16,
  run({ vfs }, frame) {
    const flags = frame.u32(0);
    const made = vfs.createUnnamed(frame.creator(8), frame.ino, frame.u32(4), flags);
    const noFlush = closesSilently(vfs, flags);
    return thenDo(made, ({ fh, attr, keepCache }) => ({ fh, attr, keepCache, noFlush }));
  },
};

export const read: Operation<readonly Uint8Array[]> = {
  name: "READ",
  minBodyBytes: 40,
  run({ vfs }, frame) {
    return vfs.read(frame.u64(0), frame.u64(8), Math.min(frame.u32(16), MAX_REQUEST_DATA_BYTES));
  },
  encode: encodeNothing,
  pieces: (pieces) => pieces,
};

export const write: Operation<number> = {
  name: "WRITE",
  minBodyBytes: WRITE_IN_BYTES,
  keepsData: true,
  run({ vfs, told, copyData }, frame) {
    told.noteWrite(frame.ino, frame.u64(8) + frame.u32(16));
    const inSlot = frame.data(WRITE_IN_BYTES, frame.u32(16));
    const data = copyData ? new Uint8Array(inSlot) : inSlot;
    const kill = (frame.u32(20) & WRITE_KILL_SUIDGID) !== 0;
    return vfs.write(frame.u64(0), frame.u64(8), data, kill);
  },
  encode: (reply, written) => reply.putU32(reply.putU32(0, written), 0),
};

export const flush: Operation<void> = {
  name: "FLUSH",
  minBodyBytes: 24,
  run: ({ vfs }, frame) => vfs.flush(frame.u64(0), lockOwnerAt(frame, 16)),
  encode: encodeNothing,
};

export const release: Operation<void> = {
  name: "RELEASE",
  minBodyBytes: 24,
  run: ({ vfs }, frame) => vfs.release(frame.u64(0)),
  encode: encodeNothing,
};

export const fsync: Operation<void> = {
  name: "FSYNC",
  minBodyBytes: 16,
  run: ({ vfs }, frame) => vfs.fsync(frame.u64(0), (frame.u32(8) & FSYNC_DATA_ONLY) !== 0),
  encode: encodeNothing,
};

/** No ioctl is known. Not ENOSYS, which the kernel would take for "never ask again". */
export const ioctl: Operation<void> = {
  name: "IOCTL",
  minBodyBytes: 32,
  run(_context, frame) {
    throw new FsError("ENOTTY", `ioctl ${frame.u32(12)} is not supported`);
  },
  encode: encodeNothing,
};

export const syncfs: Operation<void> = {
  name: "SYNCFS",
  minBodyBytes: 8,
  run: ({ vfs }) => vfs.syncfs(),
  encode: encodeNothing,
};
