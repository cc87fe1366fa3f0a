// flock and fcntl locks of one mount. The metadata server keeps them; here stands through which
// handles they were taken, because closing those gives them up. What one client wrote under a lock
// the next one to lock reads: dirty data is committed before a lock is, and cached data is checked
// after.
import { FsError, isFsError } from "../../domain/errno.ts";
import { WHOLE_FILE, type LockOwner, type LockSpace } from "../../domain/file-lock.ts";
import type { LockConflict, LockRequest, MetaSession } from "../../protocol/meta/meta-service.ts";
import type { FileData } from "./file-data.ts";
import type { HandleTable } from "./handle-table.ts";
import { LockRequests, type LockServer } from "./lock-requests.ts";
import type { Log } from "../../observability/log.ts";
import type { AskedAt } from "../coherence/own-changes.ts";
import type { FileHandle, FileLock, FileLockRequest, LockResult } from "../vfs.ts";

/** Somebody who may have locks on an inode, and the handles that they were asked for through. */
interface Locker {
  readonly space: LockSpace;
  readonly owner: LockOwner;
  readonly handles: Set<FileHandle>;
}

export interface OpenFileLockServices {
  readonly meta: Pick<MetaSession, "getlk"> & LockServer;
  readonly beliefs: { askedNow(): AskedAt };
  readonly log: Log;
}

export class OpenFileLocks {
  readonly #services: OpenFileLockServices;
  readonly #handles: HandleTable;
  readonly #requests: LockRequests;
  readonly #lockers = new Map<FileData, Set<Locker>>();
  #sessions = 1;

  constructor(services: OpenFileLockServices, handles: HandleTable) {
    this.#services = services;
    this.#handles = handles;
    this.#requests = new LockRequests(services.meta);
  }

  /** @throws FsError EBADF */
  getlk(fh: FileHandle, lock: FileLock): Promise<LockConflict | undefined> {
    const { ino } = this.#handles.file(fh).file;
    const { owner, type, start, end } = lock;
    return this.#services.meta.getlk({ ino, space: "fcntl", owner, type, start, end });
  }

  /** @throws FsError EBADF, EAGAIN, EDEADLK, ENOLCK, EINTR */
  async setlk(
    fh: FileHandle,
    lock: FileLockRequest,
    signal: AbortSignal | undefined,
  ): Promise<LockResult> {
    const { file } = this.#handles.file(fh);
    const known = this.#find(file, lock.space, lock.owner);
    if (known === undefined && lock.type === "unlock") return { stale: false };
    // Whoever may lock from now on finds what was written until now.
    if (known !== undefined && lock.type !== "write") await committed(file);
    // Before asking: the server may give a lock whose answer never comes.
    this.#note(file, fh, lock);
    let asked = this.#services.beliefs.askedNow();
    const request = { ...lock, ino: file.ino };
    const reply = await (signal === undefined
      ? this.#requests.ask(request)
      : this.#requests.wait(request, signal, () => {
          asked = this.#services.beliefs.askedNow();
        }));
    if (reply.attr === undefined) return { stale: false };
    if (file.dead !== undefined) throw file.dead;
    // It may have been closed meanwhile, and with it given up what wasn't there yet.
    if (!this.#handles.has(fh)) await this.#unlock(file, lock.space, lock.owner);
    return { stale: !file.beliefs.lockGranted(reply.attr, asked) };
  }

  /**
   * close(2) by a process: POSIX takes all its locks on the file. @throws FsError why something
   * that was written under them is lost; they stay until a handle for writing has told it, or all
   * handles are gone
   */
  async closedBy(fh: FileHandle, owner: LockOwner): Promise<void> {
    const { file } = this.#handles.file(fh);
    const locker = this.#find(file, "fcntl", owner);
    if (locker === undefined) return;
    await committed(file);
    this.#forget(file, locker);
    await this.#unlock(file, "fcntl", owner);
  }

  /** True when the process has, or may have, locks on the file. */
  isLocker(fh: FileHandle, owner: LockOwner): boolean {
    if (this.#lockers.size === 0) return false;
    return this.#find(this.#handles.file(fh).file, "fcntl", owner) !== undefined;
  }

  /**
   * The last reference to the handle is gone, and with it the locks that were its own: flocks, and
   * those of F_OFD_SETLK, whose end the kernel tells nobody.
   */
  released(fh: FileHandle, file: FileData): void {
    for (const locker of [...(this.#lockers.get(file) ?? [])]) {
      if (!locker.handles.delete(fh) || locker.handles.size > 0) continue;
      this.#forget(file, locker);
      // Nobody waits for it; #unlock has logged what is to be said.
      this.#unlock(file, locker.space, locker.owner).catch(() => undefined);
    }
  }

  /**
   * The server has given the locks to whoever asked. Who believed to hold one must not go on: its
   * file answers EIO until it is opened again, as NFSv4 has it.
   */
  sessionLost(): void {
    this.#sessions += 1;
    for (const file of this.#lockers.keys()) {
      const message = `locks on inode ${file.ino} were lost with the session`;
      file.dead ??= new FsError("EIO", message);
      this.#services.log.error(
        { ino: file.ino },
        "locks lost with the session; its files are closed",
      );
    }
    this.#lockers.clear();
  }

  async #unlock(file: FileData, space: LockSpace, owner: LockOwner): Promise<void> {
    await file.writer.flush();
    const request = { ino: file.ino, space, owner, type: "unlock", pid: 0, ...WHOLE_FILE } as const;
    try {
      await this.#requests.ask(request);
    } catch (error) {
      if (isFsError(error, "ETIMEDOUT")) void this.#unlockLater(request);
      else this.#services.log.error({ err: error, ino: file.ino }, "a lock could not be released");
      throw error;
    }
  }

  /** The server is away. It keeps the lock as long as the session, so it must be told. */
  async #unlockLater(request: Omit<LockRequest, "wait">): Promise<void> {
    const session = this.#sessions;
    while (session === this.#sessions) {
      try {
        await this.#requests.ask(request);
        return;
      } catch (error) {
        // Each attempt takes as long as a request's patience.
        if (isFsError(error, "ETIMEDOUT")) continue;
        const { ino } = request;
        this.#services.log.error({ err: error, ino }, "a lock could not be released");
        return;
      }
    }
  }

  #find(file: FileData, space: LockSpace, owner: LockOwner): Locker | undefined {
    for (const locker of this.#lockers.get(file) ?? []) {
      if (locker.owner === owner && locker.space === space) return locker;
    }
    return undefined;
  }

  #note(file: FileData, fh: FileHandle, { space, owner }: FileLockRequest): void {
    const known = this.#find(file, space, owner);
    if (known !== undefined) {
      known.handles.add(fh);
      return;
    }
    const lockers = this.#lockers.get(file) ?? new Set();
    this.#lockers.set(file, lockers.add({ space, owner, handles: new Set([fh]) }));
  }

  #forget(file: FileData, locker: Locker): void {
    const lockers = this.#lockers.get(file);
    lockers?.delete(locker);
    if (lockers?.size === 0) this.#lockers.delete(file);
  }
}

/**
 * Who locks next would read, and change, what this client's lost write was to replace.
 * @throws FsError why something that was written can't be seen by others
 */
async function committed({ writer }: FileData): Promise<void> {
  await writer.flush();
  if (writer.failure !== undefined) throw writer.failure;
}
