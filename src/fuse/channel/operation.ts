// What an entry of the table of operations is: decode and do, encode, and undo what never arrived.
import type { Attr } from "../../domain/attributes.ts";
import { FsError, isFsError } from "../../domain/errno.ts";
import type { Ino } from "../../domain/ids.ts";
import type { FileHandle, MaybePromise, Vfs } from "../../vfs/vfs.ts";
import type { DirectoryStream } from "./directory-stream.ts";
import type { Frame } from "./frame.ts";
import type { ReplyWriter } from "./reply-writer.ts";
import type { ToldAttributes } from "../../vfs/coherence/told-attributes.ts";

/** What operations work on; one a mount. */
export interface OperationContext {
  readonly vfs: Vfs;
  readonly directories: Map<FileHandle, DirectoryStream>;
  readonly told: ToldAttributes;
  /** The kernel holds written pages back: it knows where data is, we don't. */
  readonly writeback: boolean;
  /** Slots are short: data must be copied out of the frame. */
  copyData: boolean;
}

export interface Operation<Result> {
  readonly name: string;
  /** A request with a shorter body is malformed. */
  readonly minBodyBytes: number;
  /**
   * Decodes and does it. The frame is gone once this has returned, but see `keepsData`. `signal` is
   * there for those who are `interruptible`.
   */
  readonly run: (
    context: OperationContext,
    frame: Frame,
    signal?: AbortSignal,
  ) => MaybePromise<Result>;
  /** Writes the body of the reply and returns its length. */
  readonly encode: (reply: ReplyWriter, result: Result) => number;
  /** Data that follows the body, sent from where it lies. */
  readonly pieces?: (result: Result) => readonly Uint8Array[];
  /** `run` uses the frame's data until its promise settles, unless `copyData` was set. */
  readonly keepsData?: boolean;
  /** It may take for ever, so that any signal to its caller ends it. */
  readonly interruptible?: boolean;
  /**
   * With the reply the caller relies on the pages that the kernel has of the inode: it is not sent
   * before those found stale, now or for another caller, have been dropped.
   */
  readonly reliesOnPages?: (result: Result) => { ino: Ino; stale: boolean } | undefined;
  /** Attributes that the kernel must not believe otherwise once it has the reply. */
  readonly settles?: (result: Result) => Attr | undefined;
  /** The kernel never got the reply: what it would have given back is given back for it. */
  readonly discard?: (context: OperationContext, result: Result) => void;
}

export const encodeNothing = (): number => 0;

/** `next` of the value: at once if it is there, later if it is a promise. */
export function thenDo<T, U>(
  value: MaybePromise<T>,
  next: (value: T) => MaybePromise<U>,
): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/**
 * The operation on an inode that may have gone meanwhile, another client having deleted it: ESTALE
 * has the kernel look the name up anew, which ENOENT would not.
 */
export function byInode<Result>(operation: Operation<Result>): Operation<Result> {
  return {
    ...operation,
    run(context, frame) {
      try {
        const result = operation.run(context, frame);
        return result instanceof Promise ? result.catch(staleIfGone) : result;
      } catch (error) {
        return staleIfGone(error);
      }
    },
  };
}

function staleIfGone(error: unknown): never {
  if (!isFsError(error, "ENOENT")) throw error;
  throw new FsError("ESTALE", "the inode is gone", { cause: error });
}
