// Operations on ranges of open files: fallocate, lseek for data and holes, copy_file_range.
import { FsError } from "../../domain/errno.ts";
import type { MaybePromise } from "../../vfs/vfs.ts";
import type { Frame } from "./frame.ts";
import { encodeNothing, type Operation, type OperationContext } from "./operation.ts";
import { SEEK_DATA, SEEK_HOLE } from "./wire.ts";

/** struct fuse_fallocate_in. */
export const fallocate: Operation<void> = {
  name: "FALLOCATE",
  minBodyBytes: 32,
  run: ({ vfs }, frame) =>
    vfs.fallocate(frame.caller, frame.u64(0), frame.u32(24), frame.u64(8), frame.u64(16)),
  encode: encodeNothing,
};

/** struct fuse_lseek_in. */
export const lseek: Operation<number> = {
  name: "LSEEK",
  minBodyBytes: 24,
  run({ vfs, writeback }, frame) {
    // The kernel then takes all of the file for data, which is never wrong.
    if (writeback) throw new FsError("ENOSYS", "with writeback only the kernel knows the data");
    const whence = frame.u32(16);
    if (whence !== SEEK_DATA && whence !== SEEK_HOLE) {
      throw new FsError("EINVAL", `lseek whence ${whence} is the kernel's own`);
    }
    return vfs.seek(frame.u64(0), frame.u64(8), whence === SEEK_DATA ? "data" : "hole");
  },
  encode: (reply, offset) => reply.putI64(0, offset),
};

/** struct fuse_copy_file_range_in; the source is the request's own inode. */
function runCopy({ vfs }: OperationContext, frame: Frame): MaybePromise<number> {
  const source = { fh: frame.u64(0), offset: frame.u64(8) };
  const target = { fh: frame.u64(24), offset: frame.u64(32) };
  return vfs.copyRange(frame.caller, source, target, frame.u64(40));
}

export const copyFileRange: Operation<number> = {
  name: "COPY_FILE_RANGE",
  minBodyBytes: 56,
  run: runCopy,
  encode: (reply, copied) => reply.putU32(reply.putU32(0, copied), 0),
};

/** The same with an answer of 64 bits, since Linux 6.18. */
export const copyFileRange64: Operation<number> = {
  name: "COPY_FILE_RANGE_64",
  minBodyBytes: 56,
  run: runCopy,
  encode: (reply, copied) => reply.putI64(0, copied),
};
