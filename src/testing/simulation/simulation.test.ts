// Seeds of the simulator, as many as CI has minutes for.
import test from "ava";
import { WorkLimit } from "../../platform/flow/work-limit.ts";
import { CI_SEEDS, runSeeds, seedsFromEnvironment } from "./run-seeds.ts";

/** Each ends within the timeout of ava, which sees what takes longer as hung. */
const BATCH = 100;

const { first, count } = seedsFromEnvironment(CI_SEEDS);
const processes = new WorkLimit(2);

for (let from = first; from < first + count; from += BATCH) {
  test(`nothing that was promised is lost or wrong, from seed ${from} on`, async (t) => {
    const own = Math.min(BATCH, first + count - from);
    const { found, seeds } = await processes.run(1, undefined, () => runSeeds(from, own));
    for (const { seed, findings } of found) {
      t.fail(`DFS_SEED=${seed}: ${findings.join("\n")}`);
    }
    t.is(seeds, own);
  });
}

test("a seed is the same run each time", async (t) => {
  const [one, other] = await Promise.all([runSeeds(first, 5), runSeeds(first, 5)]);
  t.is(one.hash, other.hash);
});
