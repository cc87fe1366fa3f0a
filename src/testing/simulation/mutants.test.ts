// The simulator finds what it is for: each mend, taken out again, is missed by nobody.
import test from "ava";
import { MUTANTS } from "./mutants.ts";
import { CI_SEEDS, runSeeds } from "./run-seeds.ts";

for (const { name, first, count, faults, ...mutation } of MUTANTS) {
  test.serial(`it is found when ${name}`, async (t) => {
    const { found } = await runSeeds(first, count, mutation, faults);
    t.true(found.length > 0, `${count} seeds from ${first} on find nothing`);
    if (faults === undefined && first + count - 1 <= CI_SEEDS) return;
    // Of other seeds nothing else shows that it was the mutation that they found.
    const { found: foundAnyway } = await runSeeds(first, count, undefined, faults);
    t.deepEqual(foundAnyway, []);
  });
}
