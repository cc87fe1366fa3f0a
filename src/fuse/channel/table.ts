// The table of opcodes: who handles what. Everything else is answered ENOSYS, which the kernel remembers
// for most operations (ACCESS, LSEEK, FALLOCATE, COPY_FILE_RANGE, STATX, IOCTL…) and does without them.
import * as directories from "./directory-operations.ts";
import * as files from "./file-operations.ts";
import type { Frame } from "./frame.ts";
import * as names from "./namespace-operations.ts";
import type { Operation, OperationContext } from "./operation.ts";
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
    [OP.GETATTR]: performs(names.getattr),
    [OP.SETATTR]: performs(names.setattr),
    [OP.READLINK]: performs(names.readlink),
    [OP.SYMLINK]: performs(names.symlink),
    [OP.MKNOD]: performs(names.mknod),
    [OP.MKDIR]: performs(names.mkdir),
    [OP.UNLINK]: performs(names.unlink),
    [OP.RMDIR]: performs(names.rmdir),
    [OP.RENAME]: performs(names.rename),
    [OP.LINK]: performs(names.link),
    [OP.OPEN]: performs(files.open),
    [OP.READ]: performs(files.read),
    [OP.WRITE]: performs(files.write),
    [OP.STATFS]: performs(names.statfs),
    [OP.RELEASE]: performs(files.release),
    [OP.FSYNC]: performs(files.fsync),
    [OP.SETXATTR]: performs(xattrs.setxattr),
    [OP.GETXATTR]: performs(xattrs.getxattr),
    [OP.LISTXATTR]: performs(xattrs.listxattr),
    [OP.REMOVEXATTR]: performs(xattrs.removexattr),
    [OP.FLUSH]: performs(files.flush),
    [OP.INIT]: (performer, frame) => performer.init(frame),
    [OP.OPENDIR]: performs(directories.opendir),
    [OP.READDIR]: performs(directories.readdir),
    [OP.RELEASEDIR]: performs(directories.releasedir),
    [OP.FSYNCDIR]: performs(directories.fsyncdir),
    [OP.CREATE]: performs(files.create),
    [OP.INTERRUPT]: (performer, frame) => performer.interrupt(frame),
    [OP.DESTROY]: (performer, frame) => performer.acknowledge(frame),
    [OP.BATCH_FORGET]: (performer, frame) => performer.performSilently(names.forgetMany, frame),
    [OP.READDIRPLUS]: performs(directories.readdirplus),
    [OP.RENAME2]: performs(names.rename2),
    [OP.SYNCFS]: performs(files.syncfs),
  } satisfies Record<number, Handler>,
);

export function handlerOf(opcode: number): Handler | undefined {
  return HANDLERS[opcode];
}
