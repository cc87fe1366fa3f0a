// Slice ids for the server's own background jobs. They are held by a session of their own, so that
// what a killed server had written and not committed is garbage like that of any client that died.
import type { SessionId, SliceId } from "../../domain/ids.ts";
import { takenBelow } from "../schema/counters.ts";
import type { Engine, ReadTransaction, Transaction } from "../engine/engine.ts";
import {
  deleteSession,
  loadSessions,
  putSession,
  takeSessionId,
} from "../schema/session-records.ts";
import { endSliceRanges, takeSliceRange } from "../schema/slice-ranges.ts";

/** No account can have this name. */
const JOBS_USER = "";

/** Ends the sessions of this kind that earlier processes left. */
export function endJobSessions(tx: Transaction): void {
  for (const { id, record } of loadSessions(tx)) {
    if (record.user !== JOBS_USER) continue;
    endSliceRanges(tx, id, Infinity);
    deleteSession(tx, id);
  }
}

function beginJobSession(tx: Transaction, beganMs: number): SessionId {
  const id = takeSessionId(tx);
  const clientName = "background jobs";
  putSession(tx, id, { user: JOBS_USER, clientName, beganMs, secretHash: "", ending: false });
  return id;
}

/** Every id below was handed to somebody. */
export function slicesIssuedBelow(tx: ReadTransaction): SliceId {
  return (takenBelow(tx, "slice") ?? 0) as SliceId;
}

/** The session begins with the first id that is asked for. */
export class JobSliceIds {
  readonly #engine: Engine;
  readonly #beganMs: number;
  #session: SessionId | undefined;
  #next = 0;
  #end = 0;

  constructor(engine: Engine, beganMs: number) {
    this.#engine = engine;
    this.#beganMs = beganMs;
  }

  async take(): Promise<SliceId> {
    if (this.#next === this.#end) {
      const taken = await this.#engine.transact(
        (tx) => {
          const session = this.#session ?? beginJobSession(tx, this.#beganMs);
          return { session, range: takeSliceRange(tx, session) };
        },
        { durable: true },
      );
      this.#session = taken.session;
      this.#next = taken.range.first;
      this.#end = taken.range.first + taken.range.count;
    }
    return this.#next++ as SliceId;
  }
}
