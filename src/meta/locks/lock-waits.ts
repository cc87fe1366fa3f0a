// Requests for locks that wait, in memory: first come, first served. A wait is named by its session
// and the number the client gave it; the client asks again after a reconnect, so none is stored.
import { FsError } from "../../domain/errno.ts";
import type { LockType } from "../../domain/file-lock.ts";
import type { Ino, SessionId } from "../../domain/ids.ts";
import { MAX_LOCK_WAITS_PER_SESSION } from "./limits.ts";
import type { LockRequest } from "../../protocol/meta/meta-service.ts";
import type { Holder } from "./lock-list.ts";

/** A request that isn't an unlock. */
export interface WantedLock extends LockRequest {
  readonly type: LockType;
}

export interface Waiter extends Holder {
  readonly request: WantedLock;
}

export class LockWaits {
  readonly #byIno = new Map<Ino, Set<Waiter>>();
  readonly #bySession = new Map<SessionId, Map<number, Waiter>>();

  has(ino: Ino): boolean {
    return this.#byIno.has(ino);
  }

  /** In the order they came. */
  of(ino: Ino): Waiter[] {
    return [...(this.#byIno.get(ino) ?? [])];
  }

  ofHolder(holder: Holder): Waiter[] {
    const waiters = this.#bySession.get(holder.session)?.values() ?? [];
    return [...waiters].filter(({ owner }) => owner === holder.owner);
  }

  /**
   * One that waits already keeps its place.
   * @throws FsError ENOLCK
   */
  add(session: SessionId, request: WantedLock): Waiter {
    const own = this.#bySession.get(session) ?? new Map<number, Waiter>();
    const known = own.get(request.wait);
    if (known !== undefined) return known;
    if (own.size >= MAX_LOCK_WAITS_PER_SESSION) {
      throw new FsError("ENOLCK", "too many requests for locks wait in this session");
    }
    const waiter: Waiter = { session, owner: request.owner, request };
    own.set(request.wait, waiter);
    this.#bySession.set(session, own);
    const queue = this.#byIno.get(request.ino) ?? new Set();
    this.#byIno.set(request.ino, queue.add(waiter));
    return waiter;
  }

  find(session: SessionId, wait: number): Waiter | undefined {
    return this.#bySession.get(session)?.get(wait);
  }

  remove(waiter: Waiter): void {
    const { session, request } = waiter;
    const own = this.#bySession.get(session);
    own?.delete(request.wait);
    if (own?.size === 0) this.#bySession.delete(session);
    const queue = this.#byIno.get(request.ino);
    queue?.delete(waiter);
    if (queue?.size === 0) this.#byIno.delete(request.ino);
  }

  removeSession(session: SessionId): void {
    for (const waiter of [...(this.#bySession.get(session)?.values() ?? [])]) this.remove(waiter);
  }
}
