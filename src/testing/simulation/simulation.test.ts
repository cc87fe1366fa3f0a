// Seeds of the simulator, as many as CI has minutes for.
import test from "ava";
import { runSeeds, seedsFromEnvironment } from "./run-seeds.ts";

/** A minute or two of two processors; `scripts/simulate` runs more. */
const SEEDS = 120;
const PROGRAMS = 2;

const { first, count } = seedsFromEnvironment(SEEDS);

for (let part = 0; part < PROGRAMS; part++) {
  const own = Math.ceil(count / PROGRAMS);
  const from = first + part * own;
  test(`nothing that was promised is lost or wrong, from seed ${from} on`, async (t) => {
    t.timeout(600_000);
    const { found, seeds } = await runSeeds(from, own);
    t.is(seeds, own);
    for (const { seed, findings } of found) {
      t.fail(`DFS_SEED=${seed}: ${findings.join("\n")}`);
    }
  });
}

test("a seed is the same run each time", async (t) => {
  const [one, other] = await Promise.all([runSeeds(first, 5), runSeeds(first, 5)]);
  t.is(one.hash, other.hash);
});
