// The table of opcodes: who handles what. Everything else is answered ENOSYS, which the kernel
// remembers for most operations (ACCESS, POLL, STATX…) and does without them.
import * as directories from "./directory-operations.ts";
import * as files from "./file-operations.ts";
import * as locks from "./lock-operations.ts";
import type { Frame } from "./frame.ts";
import * as ranges from "./range-operations.ts";
import * as names from "./namespace-operations.ts";
import { byInode, type Operation, type OperationContext } from "./operation.ts";
import { OP, OPCODE_LIMIT } from "./wire.ts";
import * as xattrs from "./xattr-operations.ts";

/** What handlers ask of the dispatcher that calls them. */
export interface Performer {
  perform<Result>(operation: Operation<Result>, frame: Frame): void;
  performSilently(run: (context: OperationContext, frame: Frame) => void, frame: Frame): void;
  init(frame: Frame): void;
  interrupt(frame: Frame): void;
  acknowledge(frame: Frame): void;
}

export type Handler = (performer: Performer, frame: Frame) => void;

function performs<Result>(operation: Operation<Result>): Handler {
  return (performer, frame) => performer.perform(operation, frame);
}

const HANDLERS: readonly (Handler | undefined)[] = Object.assign(
  new Array<Handler | undefined>(OPCODE_LIMIT).fill(undefined),
  {
    [OP.LOOKUP]: performs(names.lookup),
    [OP.FORGET]: (performer, frame) => performer.performSilently(names.forgetOne, frame),
    [OP.GETATTR]: performs(byInode(names.getattr)),
    [OP.SETATTR]: performs(byInode(names.setattr)),
    [OP.READLINK]: performs(byInode(names.readlink)),
    [OP.SYMLINK]: performs(names.symlink),
    [OP.MKNOD]: performs(names.mknod),
    [OP.MKDIR]: performs(names.mkdir),
    [OP.UNLINK]: performs(names.unlink),
    [OP.RMDIR]: performs(names.rmdir),
    [OP.RENAME]: performs(names.rename),
    [OP.LINK]: performs(names.link),
    [OP.OPEN]: performs(byInode(files.open)),
    [OP.READ]: performs(files.read),
    [OP.WRITE]: performs(files.write),
    [OP.STATFS]: performs(names.statfs),
    [OP.RELEASE]: performs(files.release),
    [OP.FSYNC]: performs(files.fsync),
    [OP.SETXATTR]: performs(byInode(xattrs.setxattr)),
    [OP.GETXATTR]: performs(byInode(xattrs.getxattr)),
    [OP.LISTXATTR]: performs(byInode(xattrs.listxattr)),
    [OP.REMOVEXATTR]: performs(byInode(xattrs.removexattr)),
    [OP.FLUSH]: performs(files.flush),
    [OP.INIT]: (performer, frame) => performer.init(frame),
    [OP.OPENDIR]: performs(byInode(directories.opendir)),
    [OP.READDIR]: performs(directories.readdir),
    [OP.RELEASEDIR]: performs(directories.releasedir),
    [OP.FSYNCDIR]: performs(directories.fsyncdir),
    [OP.GETLK]: performs(locks.getlk),
    [OP.SETLK]: performs(locks.setlk),
    [OP.SETLKW]: performs(locks.setlkw),
    [OP.CREATE]: performs(files.create),
    [OP.INTERRUPT]: (performer, frame) => performer.interrupt(frame),
    [OP.DESTROY]: (performer, frame) => performer.acknowledge(frame),
    [OP.BATCH_FORGET]: (performer, frame) => performer.performSilently(names.forgetMany, frame),
    [OP.IOCTL]: performs(files.ioctl),
    [OP.FALLOCATE]: performs(ranges.fallocate),
    [OP.READDIRPLUS]: performs(directories.readdirplus),
    [OP.RENAME2]: performs(names.rename2),
    [OP.LSEEK]: performs(ranges.lseek),
    [OP.COPY_FILE_RANGE]: performs(ranges.copyFileRange),
    [OP.SYNCFS]: performs(files.syncfs),
    [OP.TMPFILE]: performs(files.tmpfile),
    [OP.COPY_FILE_RANGE_64]: performs(ranges.copyFileRange64),
  } satisfies Record<number, Handler>,
);

export function handlerOf(opcode: number): Handler | undefined {
  return HANDLERS[opcode];
}
