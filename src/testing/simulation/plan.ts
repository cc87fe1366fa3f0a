// What a seed means: how large the cluster is, what may go wrong in it and how often. Each seed has
// few kinds of fault, so that what one kind does isn't hidden by the others. Most are short, for
// many different ones to fit into an hour; in long ones more comes together.
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
  "nodeRollback",
  "nodeCopy",
  "siteCut",
  "swapPorts",
  "strangerAtPort",
  "journalFlip",
  "crashAtDisk",
] as const;

export type FaultKind = (typeof FAULTS)[number];

const LONG_SHARE = 0.04;

/** Those that redundancy covers where they befall few nodes. */
const MILD: readonly FaultKind[] = [
  "nodeCrash",
  "nodeCut",
  "nodeStop",
  "hold",
  "slowDisk",
  "rot",
  "nodeRollback",
  "fullDisk",
];

export interface Plan {
  readonly seed: number;
  readonly nodes: number;
  readonly clients: number;
  /** On each client. */
  readonly programs: number;
  readonly maxFiles: number;
  /** Only faults of at most m nodes at a time: no operation may fail. */
  readonly isMild: boolean;
  readonly hasLargeFiles: boolean;
  readonly faults: readonly FaultKind[];
  /** Between faults, on average. */
  readonly faultPauseMs: number;
  readonly pauseMs: number;
  readonly busyMs: number;
  /** All machines lose power when programs have just been at work. */
  readonly endsInCut: boolean;
  readonly pgCount: number;
  readonly nodeOutAfterMs: number;
  readonly checkpointBytes: number;
  readonly network: { loss: number; doubling: number; straying: number; strayMs: number };
}

/** @param only the kinds of fault, where the seed isn't to choose them */
export function planOf(seed: number, only?: readonly FaultKind[]): Plan {
  const random = seededRandom(seed);
  const isLong = random.chance(LONG_SHARE);
  const isMild = random.chance(0.3) && (only ?? []).every((kind) => MILD.includes(kind));
  const faults = only ?? someOf(random, isMild ? MILD : FAULTS, isLong ? 4 : 3);
  return {
    seed,
    isMild,
    faults,
    ...(isLong ? longWork(random) : shortWork(random)),
    nodes: 6 + random.below(2),
    // Only shards that are files rot.
    hasLargeFiles: faults.includes("rot") || random.chance(isLong ? 0.2 : 0.05),
    endsInCut: !isMild && random.chance(0.2),
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

type Work = Pick<
  Plan,
  "clients" | "programs" | "maxFiles" | "busyMs" | "pauseMs" | "faultPauseMs" | "pgCount"
>;

function shortWork(random: SeededRandom): Work {
  return {
    clients: 2,
    programs: 1 + random.below(2),
    maxFiles: 6,
    busyMs: 1500 + random.below(2000),
    pauseMs: random.pick([100, 200, 400]),
    faultPauseMs: 200 + random.below(1000),
    pgCount: random.pick([2, 4]),
  };
}

function longWork(random: SeededRandom): Work {
  return {
    clients: 2 + random.below(2),
    programs: 1 + random.below(2),
    maxFiles: 24,
    busyMs: 4000 + random.below(10_000),
    pauseMs: random.pick([100, 400, 1500]),
    faultPauseMs: 500 + random.below(4000),
    pgCount: random.pick([4, 8, 16]),
  };
}

function someOf(random: SeededRandom, kinds: readonly FaultKind[], most: number): FaultKind[] {
  const count = random.below(most + 1);
  const chosen = new Set<FaultKind>();
  for (let left = count; left > 0; left--) chosen.add(random.pick(kinds));
  return [...chosen];
}
