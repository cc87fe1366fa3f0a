// Checks a whole store: every invariant of the namespace, in an order in which the first repairs
// make later findings right or possible. The callers repeat it until nothing is found.
import type { ReadTransaction } from "../engine/engine.ts";
import { checkChunks, checkOpens, checkTotals, checkXattrs } from "./check-content.ts";
import { checkDentries, checkLinks, checkListings, checkRooted } from "./check-names.ts";
import { checkSlices, checkTombstones } from "./check-slices.ts";
import type { Finding } from "./finding.ts";

/** What the checks look at, in their order, as people are told. */
export const CHECKS: readonly {
  readonly name: string;
  readonly run: (tx: ReadTransaction) => Generator<Finding>;
}[] = [
  { name: "names", run: checkDentries },
  { name: "listings", run: checkListings },
  { name: "content", run: checkChunks },
  { name: "links", run: (tx) => checkLinks(tx) },
  { name: "directories", run: checkRooted },
  { name: "open files", run: checkOpens },
  { name: "slices", run: (tx) => checkSlices(tx) },
  { name: "dead slices", run: checkTombstones },
  { name: "extended attributes", run: checkXattrs },
  { name: "totals", run: checkTotals },
];

/** Everything that is wrong; nothing in a sound store. `tx` must not change meanwhile. */
export function* checkStore(tx: ReadTransaction): Generator<Finding> {
  for (const { run } of CHECKS) yield* run(tx);
}
