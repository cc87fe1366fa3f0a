// What a store must know that goes on from an older state than others have seen: nothing is given
// twice, nobody resumes, and what isn't known condemns nothing.
import type { SliceId } from "../../domain/ids.ts";
import { putReconcile, renewCluster } from "../cluster/cluster-records.ts";
import type { Transaction } from "../engine/engine.ts";
import { leapCounters, takenBelow } from "../schema/counters.ts";
import { loadSessions, putSession } from "../schema/session-records.ts";
import { endUnknownRange } from "../schema/slice-ranges.ts";
import { leapCopies } from "./copy-records.ts";

/** @param why for people, as in "the metadata was restored from a copy" */
export function beginNewLife(tx: Transaction, why: string): void {
  const issuedBelow = (takenBelow(tx, "slice") ?? 0) as SliceId;
  leapCounters(tx);
  endUnknownRange(tx, issuedBelow, (takenBelow(tx, "slice") ?? 0) as SliceId);
  leapCopies(tx);
  // What a session has done since isn't known: its client begins another one, and puts what it
  // hasn't committed under that one's numbers.
  for (const { id, record } of loadSessions(tx)) putSession(tx, id, { ...record, ending: true });
  renewCluster(tx);
  putReconcile(tx, why);
}
