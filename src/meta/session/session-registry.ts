// The sessions there are: begun, resumed, ended. One is dead when nothing was heard of it for long;
// what it held is then released step by step.
import { createHash, timingSafeEqual } from "node:crypto";
import { FsError } from "../../domain/errno.ts";
import { passViolation } from "../../domain/invariant.ts";
import type { SessionId } from "../../domain/ids.ts";
import { HEARTBEAT_INTERVAL_MS } from "../../domain/limits.ts";
import { MAX_SESSIONS } from "./limits.ts";
import type { Log } from "../../observability/log.ts";
import type { Random } from "../../platform/random.ts";
import type { Push } from "../../protocol/meta/meta-pushes.ts";
import type { SessionKey } from "../../protocol/rpc/control-messages.ts";
import type { Engine } from "../engine/engine.ts";
import { LockRegistry } from "../locks/lock-registry.ts";
import { closeSessionOpens } from "../namespace/open-inodes.ts";
import { reapStep } from "../namespace/reaper.ts";
import { RecoveryWindow } from "./recovery-window.ts";
import { SessionRequests, type SessionDependencies } from "./session-requests.ts";
import {
  clearRecoveryOwed,
  deleteSession,
  isRecoveryOwed,
  loadSessions,
  putRecoveryOwed,
  putSession,
  takeSessionId,
  type SessionRecord,
} from "../schema/session-records.ts";
import { endSliceRanges } from "../schema/slice-ranges.ts";

const SECRET_BYTES = 16;
/** Extents and xattrs reaped in one transaction: some milliseconds. */
const REAP_STEP = 1000;
/** Ranges of slice ids that end in one transaction: some milliseconds. */
const END_STEP = 1000;

export interface SessionRegistryOptions extends Omit<SessionDependencies, "locks"> {
  readonly random: Random;
  readonly log: Log;
  /** Silence after which a session is dead. */
  readonly sessionDeadAfterMs: number;
  /** The store may have begun behind what it had acknowledged. */
  readonly mayHaveForgotten: boolean;
}

/** A connection as its session sees it. */
export interface SessionConnection {
  /** Another connection has taken the session over; nothing of this one counts any more. */
  displaced(): void;
  readonly push: Push;
}

export interface SessionView {
  readonly id: SessionId;
  readonly client: string;
  readonly user: string;
  readonly sinceMs: number;
  readonly connected: boolean;
}

export class Session {
  readonly id: SessionId;
  readonly requests: SessionRequests;
  readonly record: SessionRecord;
  connection: SessionConnection | undefined;
  /** On the monotonic clock; counts while there is no connection. */
  silentSinceMs: number;
  ending: boolean;

  constructor(
    id: SessionId,
    record: SessionRecord,
    requests: SessionRequests,
    silentSinceMs: number,
  ) {
    this.id = id;
    this.record = record;
    this.requests = requests;
    this.silentSinceMs = silentSinceMs;
    this.ending = record.ending;
  }
}

export class SessionRegistry {
  /** What sessions of before the start still know is done before anything else. */
  readonly recovery: RecoveryWindow;
  readonly #options: SessionRegistryOptions;
  readonly #sessions = new Map<SessionId, Session>();
  readonly #endings = new Map<SessionId, Promise<void>>();
  readonly #locks: LockRegistry;
  #checkedAtMs = 0;
  #cancelCheck: () => void = () => undefined;
  #reaping: Promise<void> | undefined;
  #closed = false;

  /** Loads the sessions that were there; each has the full time to come back. */
  static async open(options: SessionRegistryOptions): Promise<SessionRegistry> {
    const { engine } = options;
    const known = await engine.read(loadSessions);
    const owed = options.mayHaveForgotten || (await engine.read(isRecoveryOwed));
    const awaited = owed ? known.filter(({ record }) => !record.ending) : [];
    // Until they have been waited for: a start that is stopped before that leaves it to the next.
    if (owed) await engine.transact(awaited.length > 0 ? putRecoveryOwed : clearRecoveryOwed);
    const registry = new SessionRegistry(
      options,
      awaited.map(({ id }) => id),
    );
    for (const { id, record } of known) registry.#add(id, record);
    return registry;
  }

  private constructor(options: SessionRegistryOptions, awaited: readonly SessionId[]) {
    this.#options = options;
    const { clock, log, engine } = options;
    const { incarnations } = engine;
    this.recovery = new RecoveryWindow({ clock, log, incarnations, awaited });
    this.#locks = new LockRegistry({
      ...options,
      granted: (id, wait) => this.#sessions.get(id)?.connection?.push("lockReady", wait),
    });
  }

  get engine(): Engine {
    return this.#options.engine;
  }

  start(): void {
    this.recovery.start();
    void this.#settleRecovery();
    this.#checkedAtMs = this.#options.clock.monotonicMs();
    for (const session of this.#sessions.values()) session.silentSinceMs = this.#checkedAtMs;
    this.#check();
  }

  /** Sessions live on in the store. Waits for those being ended, and what is being done again. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelCheck();
    await this.recovery.stop();
    await Promise.allSettled([...this.#endings.values(), this.#reaping]);
  }

  list(): SessionView[] {
    return [...this.#sessions.values()]
      .filter((session) => !session.ending)
      .map(({ id, record, connection }) => ({
        id,
        client: record.clientName,
        user: record.user,
        sinceMs: record.beganMs,
        connected: connection !== undefined,
      }));
  }

  /** @throws FsError EAGAIN (too many sessions) */
  async begin(user: string, clientName: string): Promise<{ session: Session; key: SessionKey }> {
    if (this.#sessions.size >= MAX_SESSIONS) {
      throw new FsError("EAGAIN", "the metadata server has too many sessions");
    }
    const secret = this.#options.random.bytes(SECRET_BYTES);
    const record: SessionRecord = {
      user,
      clientName,
      beganMs: this.#options.clock.nowMs(),
      secretHash: hashSecret(secret).toString("hex"),
      ending: false,
    };
    const id = await this.#options.engine.transact(
      (tx) => {
        const taken = takeSessionId(tx);
        putSession(tx, taken, record);
        return taken;
      },
      { durable: true },
    );
    return { session: this.#add(id, record), key: { session: id, secret } };
  }

  /** The session that the key opens, if it still lives and is the user's. */
  resume(user: string, { session: id, secret }: SessionKey): Session | undefined {
    const session = this.#sessions.get(id);
    if (session === undefined || session.ending || session.record.user !== user) return undefined;
    const expected = Buffer.from(session.record.secretHash, "hex");
    return timingSafeEqual(hashSecret(secret), expected) ? session : undefined;
  }

  /** From now on `connection` is the session's only one. */
  attach(session: Session, connection: SessionConnection): void {
    const old = session.connection;
    session.connection = connection;
    if (old === connection) return;
    this.#locks.dropWaits(session.id);
    old?.displaced();
  }

  detach(session: Session, connection: SessionConnection): void {
    if (session.connection !== connection) return;
    session.connection = undefined;
    this.#locks.dropWaits(session.id);
    session.silentSinceMs = this.#options.clock.monotonicMs();
  }

  /** Ends a session for good: releases what it holds open, deletes what nobody holds then. */
  end(session: Session): Promise<void> {
    const known = this.#endings.get(session.id);
    if (known !== undefined) return known;
    session.ending = true;
    session.connection?.displaced();
    session.connection = undefined;
    const ending = this.#endSteps(session).finally(() => this.#endings.delete(session.id));
    this.#endings.set(session.id, ending);
    return ending;
  }

  #add(id: SessionId, record: SessionRecord): Session {
    const requests = new SessionRequests({ ...this.#options, locks: this.#locks }, id);
    const session = new Session(id, record, requests, this.#options.clock.monotonicMs());
    this.#sessions.set(id, session);
    return session;
  }

  async #settleRecovery(): Promise<void> {
    const { engine, log } = this.#options;
    if (this.recovery.over === undefined) return;
    await this.recovery.over;
    if (this.recovery.cutShort) return;
    try {
      await engine.transact(clearRecoveryOwed);
    } catch (error) {
      passViolation(error);
      log.warn({ err: error }, "the next start will ask clients again for what was forgotten");
    }
  }

  async #endSteps(session: Session): Promise<void> {
    const { engine, log } = this.#options;
    const { id, record } = session;
    await this.recovery.over;
    // Should the server stop half-way, the session must not be resumed with half of its opens.
    await engine.transact((tx) => putSession(tx, id, { ...record, ending: true }));
    await this.#locks.releaseSession(id);
    while (!(await engine.transact((tx) => closeSessionOpens(tx, id))));
    while (!(await engine.transact((tx) => endSliceRanges(tx, id, END_STEP))));
    await engine.transact((tx) => deleteSession(tx, id));
    this.#sessions.delete(id);
    log.info({ session: id, client: record.clientName, user: record.user }, "session ended");
    this.#reaping ??= this.#reap().finally(() => (this.#reaping = undefined));
  }

  /** Deletes what released inodes leave behind, one bounded transaction after another. */
  async #reap(): Promise<void> {
    const { engine, log } = this.#options;
    try {
      while (!this.#closed) {
        if ((await engine.transact((tx) => reapStep(tx, REAP_STEP))) === 0) return;
      }
    } catch (error) {
      log.error({ err: error }, "deleted files could not be reaped; gc will go on with it");
    }
  }

  #check(): void {
    const { clock, sessionDeadAfterMs, log } = this.#options;
    const nowMs = clock.monotonicMs();
    const intervalMs = Math.min(HEARTBEAT_INTERVAL_MS, sessionDeadAfterMs / 4);
    const lateMs = nowMs - this.#checkedAtMs - intervalMs;
    this.#checkedAtMs = nowMs;
    for (const session of this.#sessions.values()) {
      // This process was stopped or starved: nobody could have come back meanwhile.
      if (lateMs > intervalMs) session.silentSinceMs += lateMs;
      const silent =
        session.connection === undefined && nowMs - session.silentSinceMs >= sessionDeadAfterMs;
      if (!silent && !session.ending) continue;
      this.end(session).catch((error: unknown) => {
        log.error({ err: error, session: session.id }, "a session could not be ended; will retry");
      });
    }
    if (!this.#closed) this.#cancelCheck = clock.after(intervalMs, () => this.#check());
  }
}

function hashSecret(secret: Uint8Array): Buffer {
  return createHash("sha256").update(secret).digest();
}
