// Operations on names and attributes.
import type { Attr, AttrChanges, StatFs } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import type { MaybePromise } from "../../vfs/vfs.ts";
import type { Frame } from "./frame.ts";
import { encodeNothing, type Operation, type OperationContext } from "./operation.ts";
import type { ReplyWriter } from "./reply-writer.ts";
import { FATTR, GETATTR_FH } from "./wire.ts";

function encodeEntry(reply: ReplyWriter, attr: Attr): number {
  return reply.putEntryOut(0, attr);
}

/** Each entry reply is a lookup, which the kernel gives back with FORGET. */
function forgetEntry({ vfs }: OperationContext, attr: Attr): void {
  vfs.forget(attr.ino, 1);
}

export const lookup: Operation<Attr> = {
  name: "LOOKUP",
  minBodyBytes: 2,
  run: ({ vfs }, frame) => vfs.lookup(frame.caller, frame.ino, frame.name(0)),
  encode: encodeEntry,
  discard: forgetEntry,
};

export const getattr: Operation<Attr> = {
  name: "GETATTR",
  minBodyBytes: 16,
  run({ vfs }, frame) {
    const fh = (frame.u32(0) & GETATTR_FH) !== 0 ? frame.u64(8) : undefined;
    return vfs.getattr(frame.caller, frame.ino, fh);
  },
  encode: (reply, attr) => reply.putAttrOut(0, attr),
};

/** struct fuse_setattr_in. */
export function decodeSetattr(frame: Frame): AttrChanges {
  const valid = frame.u32(0);
  const has = (bit: number): boolean => (valid & bit) !== 0;
  const changes: AttrChanges = {};
  if (has(FATTR.SIZE)) changes.sizeBytes = frame.u64(16);
  if (has(FATTR.ATIME_NOW)) changes.atime = "now";
  else if (has(FATTR.ATIME)) changes.atime = frame.time(32, 56);
  if (has(FATTR.MTIME_NOW)) changes.mtime = "now";
  else if (has(FATTR.MTIME)) changes.mtime = frame.time(40, 60);
  if (has(FATTR.MODE)) changes.mode = frame.u32(68);
  if (has(FATTR.UID)) changes.uid = frame.u32(76);
  if (has(FATTR.GID)) changes.gid = frame.u32(80);
  // With HANDLE_KILLPRIV_V2 a change of owner says nothing of suid and sgid: we are to clear them.
  if (has(FATTR.KILL_SUIDGID) || has(FATTR.UID) || has(FATTR.GID)) changes.killPrivileges = true;
  return changes;
}

export const setattr: Operation<Attr> = {
  name: "SETATTR",
  minBodyBytes: 88,
  run({ vfs }, frame) {
    const fh = (frame.u32(0) & FATTR.FH) !== 0 ? frame.u64(8) : undefined;
    return vfs.setattr(frame.caller, frame.ino, decodeSetattr(frame), fh);
  },
  encode: (reply, attr) => reply.putAttrOut(0, attr),
};

export const readlink: Operation<string> = {
  name: "READLINK",
  minBodyBytes: 0,
  run: ({ vfs }, frame) => vfs.readlink(frame.caller, frame.ino),
  encode: (reply, target) => reply.putText(0, target),
};

export const symlink: Operation<Attr> = {
  name: "SYMLINK",
  minBodyBytes: 4,
  run({ vfs }, frame) {
    const name = frame.name(0);
    return vfs.symlink(frame.caller, frame.ino, name, frame.text(name.length + 1));
  },
  encode: encodeEntry,
  discard: forgetEntry,
};

export const mknod: Operation<Attr> = {
  name: "MKNOD",
  minBodyBytes: 18,
  run: ({ vfs }, frame) =>
    vfs.mknod(frame.creator(8), frame.ino, frame.name(16), frame.u32(0), frame.u32(4)),
  encode: encodeEntry,
  discard: forgetEntry,
};

export const mkdir: Operation<Attr> = {
  name: "MKDIR",
  minBodyBytes: 10,
  run: ({ vfs }, frame) => vfs.mkdir(frame.creator(4), frame.ino, frame.name(8), frame.u32(0)),
  encode: encodeEntry,
  discard: forgetEntry,
};

export const unlink: Operation<void> = {
  name: "UNLINK",
  minBodyBytes: 2,
  run: ({ vfs }, frame) => vfs.unlink(frame.caller, frame.ino, frame.name(0)),
  encode: encodeNothing,
};

export const rmdir: Operation<void> = {
  name: "RMDIR",
  minBodyBytes: 2,
  run: ({ vfs }, frame) => vfs.rmdir(frame.caller, frame.ino, frame.name(0)),
  encode: encodeNothing,
};

function runRename(
  { vfs }: OperationContext,
  frame: Frame,
  namesAt: number,
  flags: number,
): MaybePromise<void> {
  const name = frame.name(namesAt);
  const newName = frame.name(namesAt + name.length + 1);
  return vfs.rename(frame.caller, frame.ino, name, frame.inoAt(0), newName, flags);
}

export const rename: Operation<void> = {
  name: "RENAME",
  minBodyBytes: 12,
  run: (context, frame) => runRename(context, frame, 8, 0),
  encode: encodeNothing,
};

export const rename2: Operation<void> = {
  name: "RENAME2",
  minBodyBytes: 20,
  run: (context, frame) => runRename(context, frame, 16, frame.u32(8)),
  encode: encodeNothing,
};

export const link: Operation<Attr> = {
  name: "LINK",
  minBodyBytes: 10,
  run: ({ vfs }, frame) => vfs.link(frame.caller, frame.inoAt(0), frame.ino, frame.name(8)),
  encode: encodeEntry,
  discard: forgetEntry,
};

export const statfs: Operation<StatFs> = {
  name: "STATFS",
  minBodyBytes: 0,
  run: ({ vfs }) => vfs.statfs(),
  encode: (reply, stat) => reply.putStatFs(0, stat),
};

/** One request of BATCH_FORGET or FORGET: what the kernel dropped. It has no reply. */
export function forgetOne({ vfs }: OperationContext, frame: Frame): void {
  vfs.forget(frame.ino, frame.u64(0));
}

export function forgetMany({ vfs }: OperationContext, frame: Frame): void {
  const count = frame.u32(0);
  if (8 + count * 16 > frame.bodyBytes) throw new FsError("EIO", "malformed BATCH_FORGET");
  for (let i = 0; i < count; i++) vfs.forget(frame.inoAt(8 + i * 16), frame.u64(16 + i * 16));
}
