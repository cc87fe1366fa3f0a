// The simulator finds what it is for: each mend, taken out again, is missed by nobody.
import test from "ava";
import { MUTANTS } from "./mutants.ts";
import { runSeeds } from "./run-seeds.ts";

for (const { name, first, count, ...mutation } of MUTANTS) {
  test.serial(`it is found when ${name}`, async (t) => {
    t.timeout(600_000);
    const { found } = await runSeeds(first, count, mutation);
    t.true(found.length > 0, `${count} seeds from ${first} on find nothing`);
  });
}
