// Operations on open files.
import { S_ISGID, S_ISUID } from "../../domain/attributes.ts";
import { O_ACCMODE, O_TRUNC, type FileHandle, type OpenResult } from "../../vfs/vfs.ts";
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
  readonly flags: number;
}

function openFlags(opened: Opened): number {
  const keepCache = opened.keepCache ? FOPEN_KEEP_CACHE : 0;
  // Nothing was written through a handle for reading: its close needs no request of its own.
  const readOnly = (opened.flags & O_ACCMODE) === 0;
  return keepCache | (readOnly ? FOPEN_NOFLUSH : 0);
}

function releaseUnseen({ vfs }: OperationContext, fh: FileHandle): void {
  const released = vfs.release(fh);
  // Nobody is left to be told: the Vfs has said what is to be said of data that wasn't kept.
  if (released instanceof Promise) released.catch(() => undefined);
}

export const open: Operation<Opened> = {
  name: "OPEN",
  minBodyBytes: 8,
  run(context, frame) {
    const { vfs } = context;
    const { caller, ino } = frame;
    const flags = frame.u32(0);
    // The kernel leaves it to us to clear suid and sgid where it truncates.
    const kills = (flags & O_TRUNC) !== 0 && (frame.u32(4) & OPEN_KILL_SUIDGID) !== 0;
    return thenDo(vfs.open(caller, ino, flags), (opened) => {
      if (!kills || (opened.attr.mode & (S_ISUID | S_ISGID)) === 0) return { ...opened, flags };
      const changed = vfs.setattr(caller, ino, { killPrivileges: true }, opened.fh);
      return thenDo(changed, (attr) => ({ ...opened, attr, flags }));
    });
  },
  encode: (reply, opened) => reply.putOpenOut(0, opened.fh, openFlags(opened)),
  discard: (context, opened) => releaseUnseen(context, opened.fh),
};

export const create: Operation<Opened> = {
  name: "CREATE",
  minBodyBytes: 18,
  run({ vfs }, frame) {
    const flags = frame.u32(0);
    const created = vfs.create(frame.caller, frame.ino, frame.name(16), frame.u32(4), flags);
    return thenDo(created, (opened) => ({ ...opened, flags }));
  },
  encode(reply, opened) {
    return reply.putOpenOut(reply.putEntryOut(0, opened.attr), opened.fh, openFlags(opened));
  },
  discard(context, opened) {
    releaseUnseen(context, opened.fh);
    context.vfs.forget(opened.attr.ino, 1);
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
  run({ vfs, copyData }, frame) {
    const inSlot = frame.data(WRITE_IN_BYTES, frame.u32(16));
    const data = copyData ? new Uint8Array(inSlot) : inSlot;
    const kill = (frame.u32(20) & WRITE_KILL_SUIDGID) !== 0;
    return vfs.write(frame.caller, frame.u64(0), frame.u64(8), data, kill);
  },
  encode: (reply, written) => reply.putU32(reply.putU32(0, written), 0),
};

export const flush: Operation<void> = {
  name: "FLUSH",
  minBodyBytes: 24,
  run: ({ vfs }, frame) => vfs.flush(frame.u64(0)),
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

export const syncfs: Operation<void> = {
  name: "SYNCFS",
  minBodyBytes: 8,
  run: ({ vfs }) => vfs.syncfs(),
  encode: encodeNothing,
};
