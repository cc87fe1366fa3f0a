// The rule by which the slots of one group get their nodes. It knows draws, nodes and zones by
// number only; which nodes may take part is decided elsewhere.

/** No node. */
export const NOBODY = -1;

export interface Contest {
  readonly slotCount: number;
  /** Zone of each node, by node. */
  readonly zones: readonly number[];
  /** By slot and node, at slot * nodes + node: the least wins. */
  readonly draws: Float64Array;
}

/**
 * Gives each slot that is NOBODY's a node of `candidates`, and leaves the others alone. At each
 * step the nodes that have fewest slots of this group are eligible, and of these the ones in the
 * zones that have fewest; the least draw of any open slot for any eligible node wins. Taking the
 * winner over all slots, not slot by slot, is what keeps a coming or going node from pushing the
 * others about (figures in placement.test.ts).
 */
export function fillSlots(
  contest: Contest,
  slots: Int32Array,
  candidates: readonly number[],
): void {
  if (candidates.length === 0) return;
  const { zones } = contest;
  const onNode = new Int32Array(zones.length);
  const inZone = new Int32Array(zones.length);
  const count = (node: number): void => {
    onNode[node] = (onNode[node] ?? 0) + 1;
    const zone = zones[node] ?? 0;
    inZone[zone] = (inZone[zone] ?? 0) + 1;
  };
  for (const node of slots) if (node !== NOBODY) count(node);
  for (;;) {
    const eligible = leastLoaded(candidates, zones, onNode, inZone);
    const [slot, node] = bestPair(contest, slots, eligible);
    if (slot === NOBODY) return;
    slots[slot] = node;
    count(node);
  }
}

/** The candidates with fewest slots, and of these the ones whose zone has fewest. */
export function leastLoaded(
  candidates: readonly number[],
  zones: readonly number[],
  onNode: Int32Array,
  inZone: Int32Array,
): number[] {
  const ofZone = (node: number): number => inZone[zones[node] ?? 0] ?? 0;
  const fewest = leastOf(candidates, (node) => onNode[node] ?? 0);
  return leastOf(fewest, ofZone);
}

/** The open slot and the node whose draw is least; equal draws go to the lower slot, then node. */
function bestPair(
  { slotCount, draws, zones }: Contest,
  slots: Int32Array,
  eligible: readonly number[],
): [slot: number, node: number] {
  let [bestSlot, bestNode, least] = [NOBODY, NOBODY, Number.POSITIVE_INFINITY];
  for (let slot = 0; slot < slotCount; slot++) {
    if (slots[slot] !== NOBODY) continue;
    for (const node of eligible) {
      const draw = draws[slot * zones.length + node] ?? 0;
      if (draw < least) [bestSlot, bestNode, least] = [slot, node, draw];
    }
  }
  return [bestSlot, bestNode];
}

function leastOf(nodes: readonly number[], measure: (node: number) => number): number[] {
  let least = Number.POSITIVE_INFINITY;
  let found: number[] = [];
  for (const node of nodes) {
    const measured = measure(node);
    if (measured < least) {
      least = measured;
      found = [];
    }
    if (measured === least) found.push(node);
  }
  return found;
}
