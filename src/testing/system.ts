// The real clock, randomness and disk, for tests of what is to run on them.
import { systemClock } from "../platform/clock.ts";
import { systemRandom } from "../platform/random.ts";

export const SYSTEM = { clock: systemClock, random: systemRandom } as const;
