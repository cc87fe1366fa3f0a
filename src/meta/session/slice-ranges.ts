// Which slice ids are in whose hands: what gc and repair must know before they call a shard
// garbage.
import type { SessionId, SliceId } from "../../domain/ids.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import { sliceExists } from "../namespace/slices.ts";
import { takenBelow } from "../schema/counters.ts";
import { firstNumber, keyRanges, keys } from "../schema/keys.ts";
import { loadSessions, holdsSlice } from "../schema/session-records.ts";

/**
 * live: cited. pending: a session may still commit it, gc has it on its list, or this store never
 * issued it (then it isn't ours to judge). dead: nobody will ever read it.
 */
export type SliceFate = "live" | "pending" | "dead";

export function fatesOfSlices(tx: ReadTransaction, ids: readonly SliceId[]): SliceFate[] {
  const issuedBelow = takenBelow(tx, "slice") ?? 0;
  let sessions: SessionId[] | undefined;
  return ids.map((id) => {
    if (sliceExists(tx, id)) return "live";
    if (id >= issuedBelow || tx.get(keys.deadSlice(id)) !== undefined) return "pending";
    sessions ??= loadSessions(tx).map((session) => session.id);
    return sessions.some((session) => holdsSlice(tx, session, id)) ? "pending" : "dead";
  });
}

export function forgetAbandonedRanges(tx: Transaction, held: ReadonlySet<string>): void {
  for (const key of [...abandonedRangeKeys(tx)]) if (held.has(textOf(key))) tx.delete(key);
}

/** The abandoned ranges there are now, for a later forgetAbandonedRanges. */
export function abandonedRanges(tx: ReadTransaction): Set<string> {
  return new Set([...abandonedRangeKeys(tx)].map(textOf));
}

function* abandonedRangeKeys(tx: ReadTransaction): Generator<Uint8Array> {
  const alive = new Set(loadSessions(tx).map((session) => session.id));
  for (const { key } of tx.range(keyRanges.allSliceRanges())) {
    if (!alive.has(firstNumber(key) as SessionId)) yield key;
  }
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key).toString("hex");
}
