// What a power cut of the metadata server took from this mount for good: changes that were
// acknowledged, or seen, and could not be done again. Whoever relies on them gets EIO.
import { FsError, isFsError } from "../../domain/errno.ts";
import type { Ino } from "../../domain/ids.ts";
import type { Attr } from "../../domain/attributes.ts";
import { passViolation } from "../../domain/invariant.ts";
import { BoundedMap } from "../../platform/flow/bounded-map.ts";
import type { Log } from "../../observability/log.ts";
import type { LostChange, MetaService } from "../../protocol/meta/meta-service.ts";
import type { FileData } from "./file-data.ts";
import { MAX_LOSSES_KEPT, MAX_REOPENS_IN_FLIGHT } from "./limits.ts";

/** Without them the handle is of nothing. */
const OPENINGS: ReadonlySet<keyof MetaService> = new Set(["create", "createUnnamed", "open"]);

export class RollbackLosses {
  readonly #meta: Pick<MetaService, "getattr">;
  readonly #log: Log;
  /** Of inodes that weren't open, until somebody asks whether all is well with them. */
  readonly #untold = new BoundedMap<Ino, FsError>(MAX_LOSSES_KEPT);
  #checking: Promise<void> | undefined;

  constructor(meta: Pick<MetaService, "getattr">, log: Log) {
    this.#meta = meta;
    this.#log = log;
  }

  /** Whether open files are still what they were is being looked at. */
  get checking(): Promise<void> | undefined {
    return this.#checking;
  }

  /** `files`: those that are open. */
  rolledBack(lost: readonly LostChange[], files: ReadonlyMap<Ino, FileData>): void {
    for (const { operation, inos, error: cause } of lost) {
      const message = `a power cut of the metadata server undid "${operation}"`;
      const error = new FsError("EIO", message, { cause });
      for (const ino of inos) {
        const file = files.get(ino);
        if (file === undefined) this.#untold.set(ino, error);
        else if (OPENINGS.has(operation)) file.dead ??= error;
        else file.writer.failures.set(error);
      }
    }
    const checking = this.#check([...files.values()]).finally(() => {
      if (this.#checking === checking) this.#checking = undefined;
    });
    this.#checking = checking;
  }

  /** What was lost of an inode, once. */
  tell(ino: Ino): FsError | undefined {
    const error = this.#untold.get(ino);
    if (error !== undefined) this.#untold.delete(ino);
    return error;
  }

  /** Changes by others that this mount has seen, and that nobody was there to do again. */
  async #check(files: readonly FileData[]): Promise<void> {
    // As it was before the cut: what is observed meanwhile is of after it.
    const next = files
      .filter(({ dead }) => dead === undefined)
      .map((file) => ({ file, seen: file.beliefs.attr }))
      .values();
    const checkNext = async (): Promise<void> => {
      for (const { file, seen } of next) await this.#checkOne(file, seen);
    };
    await Promise.all(Array.from({ length: MAX_REOPENS_IN_FLIGHT }, checkNext));
  }

  async #checkOne(file: FileData, seen: Attr): Promise<void> {
    const { ino } = file;
    try {
      if (!isBefore(await this.#meta.getattr(ino), seen)) return;
      file.writer.failures.set(this.#failure(ino, "undid what others had changed"));
    } catch (error) {
      passViolation(error);
      if (isFsError(error, "ENOENT", "ESTALE")) {
        file.dead ??= this.#failure(ino, "took an open file", error);
      } else {
        const what = "may have undone what others had changed: it could not be looked at";
        file.writer.failures.set(this.#failure(ino, what, error));
      }
    }
  }

  /** What the file answers; logged, too. */
  #failure(ino: Ino, what: string, cause?: unknown): FsError {
    const text = `a power cut of the metadata server ${what}`;
    this.#log.error({ ino, err: cause }, text);
    return new FsError("EIO", `${text} (inode ${ino})`, { cause });
  }
}

/** By the server's clock, which stamps each change. */
function isBefore(a: Attr, b: Attr): boolean {
  return a.ctimeSec < b.ctimeSec || (a.ctimeSec === b.ctimeSec && a.ctimeNsec < b.ctimeNsec);
}
