// What the operations of one fuse-native mount work with.
import type { Caller } from "../../domain/attributes.ts";
import type { Ino } from "../../domain/ids.ts";
import type { Clock } from "../../platform/clock.ts";
import type { FileHandle, Vfs } from "../../vfs/vfs.ts";
import type { Answers } from "./answers.ts";
import type { Answer } from "./package.ts";
import type { PathTable } from "./path-table.ts";

export interface FuseNativeContext {
  readonly vfs: Vfs;
  /** fuse-native doesn't tell who calls: everything is done as the mounting user. */
  readonly caller: Caller;
  readonly clock: Clock;
  readonly table: PathTable;
  readonly answers: Answers;
  /** Inodes of open files. */
  readonly handles: Map<FileHandle, Ino>;
}

/** Runs an operation whose answer is 0 and a value, or a negative errno. */
export function answerWith<T>(
  { answers }: FuseNativeContext,
  name: string,
  answer: Answer<T>,
  work: () => Promise<T>,
  late?: (value: T) => void,
): void {
  answers.run(name, work, {
    done: (value) => answer(0, value),
    failed: answer,
    ...(late === undefined ? {} : { late }),
  });
}
