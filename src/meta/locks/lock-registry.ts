// The locks of all sessions: kept in the engine, waited for in memory. What needs nobody to wait is
// one transaction; where somebody waits, requests take turns, so that the transaction that frees a
// lock hands it on, and no wait is missed, granted twice or cancelled too late.
import { FsError } from "../../domain/errno.ts";
import { WHOLE_FILE } from "../../domain/file-lock.ts";
import type { Attr } from "../../domain/attributes.ts";
import type { Ino, SessionId } from "../../domain/ids.ts";
import { MAX_LOCKS_PER_INODE } from "./limits.ts";
import { MAX_RELEASES_AT_ONCE } from "../engine/limits.ts";
import type { Log } from "../../observability/log.ts";
import type {
  LockConflict,
  LockQuery,
  LockReply,
  LockRequest,
} from "../../protocol/meta/meta-service.ts";
import type { Engine, ReadTransaction, Transaction } from "../engine/engine.ts";
import { loadInode } from "../namespace/inodes.ts";
import { attrOf } from "../schema/inode.ts";
import { isSessionLive } from "../schema/session-records.ts";
import { closesCycle } from "./deadlock.ts";
import {
  conflictsOf,
  holdsAll,
  isHeldBy,
  overlaps,
  withLock,
  withoutRange,
  type HeldLock,
} from "./lock-list.ts";
import {
  countLocks,
  loadLocks,
  lockedInodes,
  saveLocks,
  withoutSession,
  type LockTable,
} from "./lock-records.ts";
import { LockWaits, type Waiter, type WantedLock } from "./lock-waits.ts";
import { Turns } from "../../platform/flow/turns.ts";

export interface LockRegistryOptions {
  readonly engine: Engine;
  readonly log: Log;
  readonly strict: boolean;
  /** A wait has its lock. */
  readonly granted: (session: SessionId, wait: number) => void;
}

/** What a request came to. */
export interface LockChange {
  readonly reply: LockReply;
  /**
   * Of the change in the store, which is on disk where it gave a lock; undefined: there was none.
   */
  readonly position: number | undefined;
}

/** What a transaction made of a request. */
interface Outcome {
  readonly table: LockTable;
  /** Locks of others that stand against it; none: it was done. */
  readonly conflicts: readonly HeldLock[];
  /** Something others may have waited for is free. */
  readonly freed: boolean;
  readonly attr: Attr | undefined;
  readonly position: number | undefined;
}

export class LockRegistry {
  readonly #options: LockRegistryOptions;
  readonly #waits = new LockWaits();
  readonly #turns = new Turns();

  constructor(options: LockRegistryOptions) {
    this.#options = options;
  }

  async get(session: SessionId, query: LockQuery): Promise<LockConflict | undefined> {
    const { ino, space, owner } = query;
    const holder = { session, owner };
    return await this.#options.engine.read((tx) => {
      const [lock] = conflictsOf(loadLocks(tx, ino)[space], holder, query);
      if (lock === undefined) return undefined;
      const { type, start, end } = lock;
      return { type, start, end, pid: lock.session === session ? lock.pid : 0 };
    });
  }

  /** @throws FsError EAGAIN, EDEADLK, ENOLCK, ENOENT, ESTALE (the session is being ended) */
  async set(session: SessionId, request: LockRequest): Promise<LockChange> {
    const { ino, wait } = request;
    if (!this.#waits.has(ino)) {
      const step = (tx: Transaction): Outcome => attempt(tx, session, request);
      const outcome = await this.#transact(step, isWanted(request));
      if (outcome.freed && this.#waits.has(ino)) this.#handOnLater(ino);
      if (outcome.conflicts.length === 0) return toChange(outcome);
      if (wait === 0) throw heldByOthers();
    }
    return await this.#turns.run(() => this.#setInTurn(session, request));
  }

  /** True: there is nothing to cancel any more, the lock was granted. */
  cancel(session: SessionId, request: LockRequest): Promise<boolean> {
    return this.#turns.run(async () => {
      const waiter = this.#waits.find(session, request.wait);
      if (waiter !== undefined) {
        this.#waits.remove(waiter);
        return false;
      }
      if (!isWanted(request)) return false;
      const { ino, space, owner } = request;
      return await this.#options.engine.read((tx) =>
        holdsAll(loadLocks(tx, ino)[space], { session, owner }, request),
      );
    });
  }

  /** The session's connection is gone: a lock must not go to a client that may be dead. */
  dropWaits(session: SessionId): void {
    this.#waits.removeSession(session);
  }

  /** The session is marked as ending, so it gets no new locks: frees all it has. */
  async releaseSession(session: SessionId): Promise<void> {
    this.dropWaits(session);
    while (!(await this.#turns.run(() => this.#releaseSome(session))));
  }

  async #setInTurn(session: SessionId, request: LockRequest): Promise<LockChange> {
    // Known as waiting before it is tried: whoever frees the lock from now on looks after it.
    const waiting =
      isWanted(request) && request.wait > 0 ? this.#waits.add(session, request) : undefined;
    let waits = false;
    try {
      const { outcome, handedOn } = await this.#transact((tx) => {
        const tried = attempt(tx, session, request);
        const rest = this.#waits.of(request.ino).filter((waiter) => waiter !== waiting);
        if (!tried.freed) return { outcome: tried, handedOn: [] };
        return { outcome: tried, handedOn: handOn(tx, request.ino, tried.table, rest) };
      }, true);
      this.#tell(handedOn);
      if (outcome.conflicts.length === 0) return toChange(outcome);
      if (waiting === undefined) throw heldByOthers();
      if (request.space === "fcntl" && (await this.#wouldDeadlock(waiting))) {
        throw new FsError("EDEADLK", "waiting for this lock would never end");
      }
      waits = true;
      return { reply: { granted: false }, position: outcome.position };
    } finally {
      if (waiting !== undefined && !waits) this.#waits.remove(waiting);
    }
  }

  async #wouldDeadlock(waiting: Waiter): Promise<boolean> {
    return await this.#options.engine.read((tx) => {
      const blockersOf = (waiter: Waiter): HeldLock[] => {
        const { ino, space } = waiter.request;
        return conflictsOf(loadLocks(tx, ino)[space], waiter, waiter.request);
      };
      return closesCycle(waiting, blockersOf(waiting), (holder) =>
        this.#waits
          .ofHolder(holder)
          .filter((waiter) => waiter.request.space === "fcntl")
          .flatMap(blockersOf),
      );
    });
  }

  /**
   * A request that didn't take its turn has freed a lock that somebody began to wait for meanwhile.
   */
  #handOnLater(ino: Ino): void {
    this.#turns
      .run(async () => {
        const waiters = this.#waits.of(ino);
        const step = (tx: Transaction): Waiter[] => handOn(tx, ino, loadLocks(tx, ino), waiters);
        this.#tell(await this.#transact(step, true));
      })
      .catch((error: unknown) => {
        this.#options.log.error({ err: error, ino }, "a freed lock could not be handed on");
      });
  }

  /** @returns true when the session has no lock left */
  async #releaseSome(session: SessionId): Promise<boolean> {
    const { done, handedOn } = await this.#transact((tx) => {
      const inos = lockedInodes(tx, session, MAX_RELEASES_AT_ONCE);
      const granted = inos.flatMap((ino) => {
        const before = loadLocks(tx, ino);
        const after = withoutSession(before, session);
        saveLocks(tx, ino, before, after);
        return handOn(tx, ino, after, this.#waits.of(ino));
      });
      return { done: inos.length < MAX_RELEASES_AT_ONCE, handedOn: granted };
    }, true);
    this.#tell(handedOn);
    return done;
  }

  #tell(handedOn: readonly Waiter[]): void {
    for (const waiter of handedOn) {
      this.#waits.remove(waiter);
      this.#options.granted(waiter.session, waiter.request.wait);
    }
  }

  /**
   * A lock that is given to somebody is on disk before they hear of it: after a power cut it must
   * not be given to another. One that is given back may come back, until its client says so again.
   */
  #transact<T>(step: (tx: Transaction) => T, gives: boolean): Promise<T> {
    return this.#options.engine.transact(step, { durable: gives || this.#options.strict });
  }
}

/** Does what is asked if nothing stands against it, and saves it. */
function attempt(tx: Transaction, session: SessionId, request: LockRequest): Outcome {
  const { ino, space, owner } = request;
  const holder = { session, owner };
  const before = loadLocks(tx, ino);
  const locks = before[space];
  if (!isWanted(request)) {
    const freed = locks.some((lock) => isHeldBy(lock, holder) && overlaps(lock, request));
    const after = { ...before, [space]: withoutRange(locks, holder, request) };
    if (freed) saveLocks(tx, ino, before, after);
    const position = freed ? tx.position : undefined;
    return { table: after, conflicts: [], freed, attr: undefined, position };
  }
  requireSession(tx, session);
  const attr = attrOf(loadInode(tx, ino));
  const wanted = space === "flock" ? { ...request, ...WHOLE_FILE } : request;
  if (holdsAll(locks, holder, wanted)) {
    return { table: before, conflicts: [], freed: false, attr, position: undefined };
  }
  const conflicts = conflictsOf(locks, holder, wanted);
  // As on Linux, a flock that is to be converted is given up first, even if the new one must wait.
  const givesUp = space === "flock" && conflicts.length > 0;
  if (conflicts.length > 0 && !givesUp) {
    return { table: before, conflicts, freed: false, attr, position: undefined };
  }
  const changed = givesUp
    ? withoutRange(locks, holder, WHOLE_FILE)
    : withLock(locks, holder, wanted, request.pid);
  const after = { ...before, [space]: changed };
  if (countLocks(after) > MAX_LOCKS_PER_INODE) {
    throw new FsError("ENOLCK", `inode ${ino} has too many locks`);
  }
  const freed = givesUp ? changed.length < locks.length : request.type === "read";
  const changes = !givesUp || freed;
  if (changes) saveLocks(tx, ino, before, after);
  return { table: after, conflicts, freed, attr, position: changes ? tx.position : undefined };
}

/** Gives what is free to those who wait, in their order. Returns who got theirs. */
function handOn(tx: Transaction, ino: Ino, table: LockTable, waiters: readonly Waiter[]): Waiter[] {
  let now = table;
  const granted = waiters.filter((waiter) => {
    const { request } = waiter;
    const locks = now[request.space];
    if (conflictsOf(locks, waiter, request).length > 0) return false;
    now = { ...now, [request.space]: withLock(locks, waiter, request, request.pid) };
    return true;
  });
  if (granted.length > 0) saveLocks(tx, ino, table, now);
  return granted;
}

/** A lock given to a session after it has ended would stay for ever. */
function requireSession(tx: ReadTransaction, session: SessionId): void {
  if (!isSessionLive(tx, session)) throw new FsError("ESTALE", "the session is being ended");
}

function isWanted(request: LockRequest): request is WantedLock {
  return request.type !== "unlock";
}

function toChange({ attr, position }: Outcome): LockChange {
  return { reply: attr === undefined ? { granted: true } : { granted: true, attr }, position };
}

function heldByOthers(): FsError {
  return new FsError("EAGAIN", "the lock is held by others");
}
