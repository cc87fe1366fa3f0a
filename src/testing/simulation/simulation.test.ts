// Seeds of the simulator, as many as CI has minutes for.
import test from "ava";
import { CI_SEEDS, runSeeds, seedsFromEnvironment } from "./run-seeds.ts";

const PROGRAMS = 2;

const { first, count } = seedsFromEnvironment(CI_SEEDS);

for (let part = 0; part < PROGRAMS; part++) {
  const own = Math.ceil(count / PROGRAMS);
  const from = first + part * own;
  test(`nothing that was promised is lost or wrong, from seed ${from} on`, async (t) => {
    t.timeout(1_200_000);
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
