// Finds a cycle in "waits for", for F_SETLKW's EDEADLK.
import { isHeldBy, type Holder } from "./lock-list.ts";

/**
 * Would `holder`, waiting for `blockers`, wait for itself? `waitsFor` says for whom each other
 * waits. A holder with several threads counts as waiting when one of them does, as on Linux.
 */
export function closesCycle(
  holder: Holder,
  blockers: readonly Holder[],
  waitsFor: (waiter: Holder) => readonly Holder[],
): boolean {
  const seen = new Set<string>();
  const open = [...blockers];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (isHeldBy(next, holder)) return true;
    const name = `${next.session}/${next.owner}`;
    if (seen.has(name)) continue;
    seen.add(name);
    open.push(...waitsFor(next));
  }
  return false;
}
