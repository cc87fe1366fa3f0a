// The open inodes of a mount, and what it remembers of closed ones to keep the kernel's page cache
// valid.
import type { Attr } from "../../domain/attributes.ts";
import type { Ino } from "../../domain/ids.ts";
import { MAX_REMEMBERED_INODES } from "../coherence/limits.ts";
import type { OpenReply } from "../../protocol/meta/meta-service.ts";
import { BoundedMap } from "../../platform/flow/bounded-map.ts";
import { FileData, sameContent } from "./file-data.ts";
import type { AskedAt, MountContext } from "./mount-context.ts";
import type { ReleaseQueue } from "./release-queue.ts";

export class OpenFiles {
  readonly #context: MountContext;
  readonly #releases: ReleaseQueue;
  readonly #byIno = new Map<Ino, FileData>();
  /** Attributes at the last close. */
  readonly #closed = new BoundedMap<Ino, Attr>(MAX_REMEMBERED_INODES);

  constructor(context: MountContext, releases: ReleaseQueue) {
    this.#context = context;
    this.#releases = releases;
  }

  get(ino: Ino): FileData | undefined {
    return this.#byIno.get(ino);
  }

  all(): FileData[] {
    return [...this.#byIno.values()];
  }

  /** Counts one more handle of the inode that `reply` opened. */
  adopt(reply: OpenReply, asked: AskedAt): { file: FileData; keepCache: boolean } {
    const { ino } = reply.attr;
    this.#context.xattrLess.note(reply.attr, asked);
    const open = this.#byIno.get(ino);
    if (open !== undefined && open.dead === undefined) {
      open.handles += 1;
      return { file: open, keepCache: open.reopened(reply, asked) };
    }
    const file = new FileData(this.#context, reply, asked);
    file.handles = 1;
    this.#byIno.set(ino, file);
    const last = this.#closed.get(ino);
    this.#closed.delete(ino);
    return { file, keepCache: last !== undefined && sameContent(last, reply.attr) };
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
    this.#context.xattrLess.note(attr, asked);
    const file = this.#byIno.get(attr.ino);
    if (file === undefined) return attr;
    file.observe(attr, asked);
    return file.view();
  }

  #letGo(file: FileData): void {
    file.handles -= 1;
    if (file.dead === undefined) this.#releases.add(file.ino);
    if (file.handles > 0) return;
    const lost = file.writer.failures.untold;
    if (lost !== undefined) {
      this.#context.log.error({ err: lost, ino: file.ino }, "data lost: no handle left to tell");
    }
    file.writer.dropFailed();
    if (this.#byIno.get(file.ino) !== file) return;
    this.#byIno.delete(file.ino);
    file.extents.invalidate();
    if (file.traceable && lost === undefined) this.#remember(file);
  }

  #remember(file: FileData): void {
    this.#closed.set(file.ino, file.committedAttr);
  }
}
