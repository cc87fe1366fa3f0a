// What an entry of the table of operations is: decode and do, encode, and undo what never arrived.
import type { FileHandle, MaybePromise, Vfs } from "../../vfs/vfs.ts";
import type { DirectoryStream } from "./directory-stream.ts";
import type { Frame } from "./frame.ts";
import type { ReplyWriter } from "./reply-writer.ts";

/** What operations work on; one a mount. */
export interface OperationContext {
  readonly vfs: Vfs;
  readonly directories: Map<FileHandle, DirectoryStream>;
  /** A name that isn't there is an answer the kernel may keep, not an error. */
  readonly negativeEntries: boolean;
  /** Slots are short: data must be copied out of the frame. */
  copyData: boolean;
}

export interface Operation<Result> {
  readonly name: string;
  /** A request with a shorter body is malformed. */
  readonly minBodyBytes: number;
  /** Decodes and does it. The frame is gone once this has returned, but see `keepsData`. */
  readonly run: (context: OperationContext, frame: Frame) => MaybePromise<Result>;
  /** Writes the body of the reply and returns its length. */
  readonly encode: (reply: ReplyWriter, result: Result) => number;
  /** Data that follows the body, sent from where it lies. */
  readonly pieces?: (result: Result) => readonly Uint8Array[];
  /** `run` uses the frame's data until its promise settles, unless `copyData` was set. */
  readonly keepsData?: boolean;
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
