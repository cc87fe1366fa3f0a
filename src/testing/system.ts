// The real clock, randomness and disk, for tests of what is to run on them.
import { systemClock } from "../platform/clock.ts";
import { systemDisk } from "../platform/disk/system-disk.ts";
import { openLmdbStore } from "../platform/store/open-lmdb-store.ts";
import { systemRandom } from "../platform/random.ts";

export const SYSTEM = {
  clock: systemClock,
  disk: systemDisk,
  openStore: openLmdbStore,
  random: systemRandom,
} as const;
