// The open files of a mount.
import type { Attr } from "../../domain/attributes.ts";
import type { Ino } from "../../domain/ids.ts";
import { invariant } from "../../domain/invariant.ts";
import type { OpenReply } from "../../protocol/meta/meta-service.ts";
import type { Beliefs } from "../coherence/beliefs.ts";
import type { AskedAt } from "../coherence/own-changes.ts";
import { FileData, type FileServices } from "./file-data.ts";
import type { ReleaseQueue } from "./release-queue.ts";
import type { RollbackLosses } from "./rollback-losses.ts";

export interface OpenFileServices extends FileServices {
  readonly beliefs: Beliefs;
  readonly losses: Pick<RollbackLosses, "tell">;
}

export class OpenFiles {
  readonly #services: OpenFileServices;
  readonly #releases: ReleaseQueue;
  readonly #byIno = new Map<Ino, FileData>();

  constructor(services: OpenFileServices, releases: ReleaseQueue) {
    this.#services = services;
    this.#releases = releases;
  }

  get(ino: Ino): FileData | undefined {
    return this.#byIno.get(ino);
  }

  get byIno(): ReadonlyMap<Ino, FileData> {
    return this.#byIno;
  }

  all(): FileData[] {
    return [...this.#byIno.values()];
  }

  /** Counts one more handle of the inode that `reply` opened. */
  adopt(reply: OpenReply, asked: AskedAt): { file: FileData; keepCache: boolean } {
    const { beliefs, losses } = this.#services;
    const open = this.#byIno.get(reply.attr.ino);
    if (open !== undefined && open.dead === undefined) {
      open.handles += 1;
      return { file: open, keepCache: beliefs.reopened(open.beliefs, reply, asked) };
    }
    const { inode, unchanged } = beliefs.opened(reply, asked);
    const file = new FileData(this.#services, inode, reply.pool);
    file.handles = 1;
    const lost = losses.tell(file.ino);
    if (lost !== undefined) file.writer.failures.set(lost);
    this.#byIno.set(file.ino, file);
    return { file, keepCache: unchanged };
  }

  /**
   * A handle is gone. Dirty data still goes out, with nobody left to tell of a failure but the log.
   */
  release(file: FileData): void {
    const flushed = file.writer.flush();
    if (flushed === undefined) this.#letGo(file);
    else void flushed.then(() => this.#letGo(file));
  }

  /** Attributes as they are to be shown: those of open files have dirty data on top. */
  show(attr: Attr, asked: AskedAt): Attr {
    this.#services.beliefs.seen(attr, asked);
    return this.#byIno.get(attr.ino)?.view() ?? attr;
  }

  #letGo(file: FileData): void {
    invariant(file.handles > 0, "a file's handles go once each", { ino: file.ino });
    file.handles -= 1;
    if (file.dead === undefined) this.#releases.add(file.ino);
    if (file.handles > 0) return;
    const lost = file.writer.failures.untold;
    if (lost !== undefined) {
      this.#services.log.error({ err: lost, ino: file.ino }, "data lost: no handle left to tell");
    }
    file.writer.dropFailed();
    this.#services.beliefs.closed(file.beliefs, lost === undefined);
    if (this.#byIno.get(file.ino) === file) this.#byIno.delete(file.ino);
  }
}
