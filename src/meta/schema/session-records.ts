// How sessions and their stored replies are kept in the engine.
import type { SessionId } from "../../domain/ids.ts";
import type { SlotTicket } from "../../protocol/rpc/redo.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import { takeNumbers } from "./counters.ts";
import { firstNumber, keyRanges, keys } from "./keys.ts";
import { decodeRecord, encodeRecord } from "./records.ts";

const VERSION = 1;
const REPLY_VERSION = 2;
const RECOVERY_OWED = "recovery owed";

export interface SessionRecord {
  readonly user: string;
  readonly clientName: string;
  readonly beganMs: number;
  /** SHA-256, hex, of what the client must show to resume the session. */
  readonly secretHash: string;
  /** It is being ended and can't be resumed. */
  readonly ending: boolean;
}

// Written by putSession only.
const SESSION_READERS = { [VERSION]: (stored: unknown) => stored as SessionRecord };

/** The answer that was given to the request with this number. */
export interface StoredReply {
  readonly sequence: number;
  /** As it travels. */
  readonly packed: unknown;
  /** Of the transaction that gave it. */
  readonly position: number;
  /** What the client is told beside it, as that travels. */
  readonly trace: unknown;
  /** What couldn't be done again after a power cut, until the client surely has heard of it. */
  readonly failed?: readonly FailedRedos[];
}

/** Numbers of requests, both included; with what was never acknowledged between. */
export type FailedRedos = readonly [first: number, last: number];

/** Of a slot that no request has ended in. */
const NO_REPLY: StoredReply = { sequence: 0, packed: null, position: 0, trace: null };

/** The next session's number. The transaction must be durable before it is told to anyone. */
export function takeSessionId(tx: Transaction): SessionId {
  return takeNumbers(tx, "session", 1) as SessionId;
}

export function putSession(tx: Transaction, id: SessionId, record: SessionRecord): void {
  tx.put(keys.session(id), encodeRecord(VERSION, record));
}

export function loadSessions(tx: ReadTransaction): { id: SessionId; record: SessionRecord }[] {
  return [...tx.range(keyRanges.sessions())].map(({ key, value }) => ({
    id: firstNumber(key) as SessionId,
    record: decodeRecord(value, SESSION_READERS),
  }));
}

/** Sessions may know of changes that the store has forgotten, and haven't been waited for yet. */
export function putRecoveryOwed(tx: Transaction): void {
  tx.put(keys.setting(RECOVERY_OWED), encodeRecord(VERSION, true));
}

export function clearRecoveryOwed(tx: Transaction): void {
  tx.delete(keys.setting(RECOVERY_OWED));
}

export function isRecoveryOwed(tx: ReadTransaction): boolean {
  return tx.get(keys.setting(RECOVERY_OWED)) !== undefined;
}

/** True while the session has a record, being ended or not. */
export function isSessionKnown(tx: ReadTransaction, id: SessionId): boolean {
  return tx.get(keys.session(id)) !== undefined;
}

/** False once it is being ended. */
export function isSessionLive(tx: ReadTransaction, id: SessionId): boolean {
  const record = tx.get(keys.session(id));
  return record !== undefined && !decodeRecord(record, SESSION_READERS).ending;
}

/** Removes the session and its replies. Its slice ranges must have ended. */
export function deleteSession(tx: Transaction, id: SessionId): void {
  for (const { key } of [...tx.range(keyRanges.replySlots(id))]) tx.delete(key);
  tx.delete(keys.session(id));
}

export function putReply(
  tx: Transaction,
  session: SessionId,
  slot: number,
  { sequence, packed, position, trace, failed }: StoredReply,
): void {
  const fields = [sequence, packed, position, trace];
  const record = encodeRecord(REPLY_VERSION, failed === undefined ? fields : [...fields, failed]);
  tx.put(keys.replySlot(session, slot), record);
}

/** The request with that number, which was lost, can't be done again; `stored` is its slot's. */
export function putFailedRedo(
  tx: Transaction,
  session: SessionId,
  { slot, sequence }: SlotTicket,
  stored: StoredReply = NO_REPLY,
): void {
  const { failed = [] } = stored;
  const newest = failed.at(-1);
  // Nothing between was done again.
  const follows = newest !== undefined && stored.sequence < newest[0];
  const next: readonly FailedRedos[] = follows
    ? [...failed.slice(0, -1), [newest[0], sequence]]
    : [...failed, [sequence, sequence]];
  putReply(tx, session, slot, { ...stored, failed: next });
}

export function hasFailed({ failed = [] }: StoredReply, sequence: number): boolean {
  return failed.some(([first, last]) => first <= sequence && sequence <= last);
}

// Written by putReply only.
type StoredFields = [number, unknown, number, unknown, (readonly FailedRedos[])?];

export function getReply(
  tx: ReadTransaction,
  session: SessionId,
  slot: number,
): StoredReply | undefined {
  const record = tx.get(keys.replySlot(session, slot));
  if (record === undefined) return undefined;
  return decodeRecord(record, {
    [REPLY_VERSION]: (stored) => {
      const [sequence, packed, position, trace, failed] = stored as StoredFields;
      return { sequence, packed, position, trace, ...(failed === undefined ? {} : { failed }) };
    },
  });
}
