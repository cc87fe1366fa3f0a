// What every function of files works on: a file system, and on whose behalf.
import type { Caller } from "../domain/attributes.ts";
import type { Random } from "../platform/random.ts";
import type { Vfs } from "../vfs/vfs.ts";

export interface FileAccess {
  readonly vfs: Vfs;
  readonly caller: Caller;
  /** For names of temporary files. */
  readonly random: Random;
}
