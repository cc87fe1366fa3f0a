// What a seed means: how large the cluster is, what may go wrong in it and how often. Each seed has
// few kinds of fault, so that what one kind does isn't hidden by the others.
import { seededRandom, type SeededRandom } from "../seeded-random.ts";

export const FAULTS = [
  "nodeCrash",
  "nodeCut",
  "nodeStop",
  "serverCrash",
  "serverCut",
  "serverStop",
  "clientCrash",
  "cutWay",
  "hold",
  "sleep",
  "clockStep",
  "slowDisk",
  "fullDisk",
  "failingFlush",
  "lyingFlush",
  "rot",
  "siteCut",
  "crashAtDisk",
] as const;

export type FaultKind = (typeof FAULTS)[number];

/** Those that redundancy covers where they befall few nodes. */
const MILD: readonly FaultKind[] = [
  "nodeCrash",
  "nodeCut",
  "nodeStop",
  "hold",
  "slowDisk",
  "rot",
  "fullDisk",
];

export interface Plan {
  readonly seed: number;
  readonly nodes: number;
  readonly clients: number;
  readonly programs: number;
  /** Only faults of at most m nodes at a time: no operation may fail. */
  readonly isMild: boolean;
  readonly hasLargeFiles: boolean;
  readonly faults: readonly FaultKind[];
  /** Between faults, on average. */
  readonly faultPauseMs: number;
  readonly pauseMs: number;
  readonly busyMs: number;
  readonly pgCount: number;
  readonly nodeOutAfterMs: number;
  readonly checkpointBytes: number;
  readonly network: { loss: number; doubling: number; straying: number; strayMs: number };
}

export function planOf(seed: number): Plan {
  const random = seededRandom(seed);
  const isMild = random.chance(0.3);
  const faults = someOf(random, isMild ? MILD : FAULTS);
  return {
    seed,
    nodes: 6 + random.below(2),
    clients: 2 + random.below(2),
    programs: 1 + random.below(2),
    isMild,
    // Only shards that are files rot.
    hasLargeFiles: faults.includes("rot") || random.chance(0.2),
    faults,
    faultPauseMs: 500 + random.below(4000),
    pauseMs: random.pick([100, 400, 1500]),
    busyMs: 4000 + random.below(10_000),
    pgCount: random.pick([4, 8, 16]),
    nodeOutAfterMs: random.pick([15_000, 60_000, 600_000]),
    checkpointBytes: random.pick([4096, 65_536, 1_048_576]),
    network: {
      loss: isMild ? 0 : random.pick([0, 0, 0.001, 0.01]),
      doubling: isMild ? 0 : random.pick([0, 0, 0.01, 0.05]),
      straying: random.pick([0, 0.01, 0.05]),
      strayMs: isMild ? 50 : random.pick([50, 500, 3000]),
    },
  };
}

function someOf(random: SeededRandom, kinds: readonly FaultKind[]): FaultKind[] {
  const count = random.below(5);
  const chosen = new Set<FaultKind>();
  for (let left = count; left > 0; left--) chosen.add(random.pick(kinds));
  return [...chosen];
}
