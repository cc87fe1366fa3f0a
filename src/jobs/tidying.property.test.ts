// Compaction and packing among writes, truncates, copies, deletes and gc, against a model.
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import { seedFromEnvironment } from "../testing/engine/engine-conformance.ts";
import { interrupted, runJob, TidyWorld, type ModelFile } from "../testing/jobs/tidy-world.ts";

type Kind = "write" | "append" | "burst" | "truncate" | "copy" | "unlink" | "create";
type Chore = "compact" | "pack" | "collect";

interface Step {
  kind: Kind | Chore;
  pick: number;
  other: number;
  offset: number;
  length: number;
  inline: boolean;
  /** Done in the midst of a chore, when it has read and not yet committed. */
  meanwhile: Omit<Step, "meanwhile">[];
}

const kinds: Kind[] = [
  ...(["write", "write", "append", "burst", "burst", "burst", "burst"] as const),
  ...(["truncate", "copy", "copy", "unlink", "create"] as const),
];
const chores: Chore[] = ["compact", "compact", "pack", "pack", "collect"];
const offset = fc.integer({ min: 0, max: 24_000 });
const rest = {
  pick: fc.nat(),
  other: fc.nat(),
  offset,
  length: fc.oneof(fc.integer({ min: 1, max: 1500 }), fc.integer({ min: 1, max: 40_000 })),
  inline: fc.boolean(),
};
const plain = fc.record({ kind: fc.constantFrom(...kinds), ...rest });
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...kinds, ...chores),
  ...rest,
  meanwhile: fc.array(plain, { maxLength: 3 }),
});

async function change(world: TidyWorld, step: Omit<Step, "meanwhile">): Promise<void> {
  const { kind, offset: at, length, inline } = step;
  const file = world.files[step.pick % Math.max(1, world.files.length)];
  const other = world.files[step.other % Math.max(1, world.files.length)];
  if (file === undefined || other === undefined || kind === "create") {
    await world.create();
  } else if (kind === "write") {
    await world.write(file, at, length, inline && length <= 16_384);
  } else if (kind === "append") {
    await world.write(file, file.bytes.length, length, inline && length <= 16_384);
  } else if (kind === "burst") {
    await burst(world, file, at, length);
  } else if (kind === "truncate") {
    await world.truncate(file, at);
  } else if (kind === "copy") {
    await world.copy(file, Math.min(at, file.bytes.length), other, length);
  } else if (kind === "unlink") {
    await world.unlink(file);
  }
}

/** Many small writes side by side, some of them apart or over others: what fragments a file. */
async function burst(world: TidyWorld, file: ModelFile, at: number, length: number): Promise<void> {
  const size = 200 + (length % 1800);
  for (let index = 0; index < 20; index += 1) {
    const shift = index % 7 === 6 ? length % 5 : 0;
    await world.write(file, at + index * size + shift, size, (length + index) % 4 > 0);
  }
}

async function run(t: ExecutionContext, steps: readonly Step[]): Promise<void> {
  await using world = await TidyWorld.make();
  let waiting: Step["meanwhile"] = [];
  const ledger = interrupted(world.ledger, async () => {
    for (const other of waiting.splice(0)) await change(world, other);
  });
  const compaction = world.compaction(ledger);
  const packing = world.packing(ledger);
  for (const { meanwhile, ...next } of steps) {
    waiting = [...meanwhile];
    if (next.kind === "compact") await runJob(compaction);
    else if (next.kind === "pack") {
      await runJob(packing);
      // What the first walk found sparse.
      await runJob(packing);
    } else if (next.kind === "collect") await world.collect();
    await change(world, next);
    t.deepEqual(await world.fs.broken(), []);
  }
  await world.check(t);
  await world.collect();
  await world.check(t);
  for (const file of [...world.files]) await world.unlink(file);
  await world.fs.reapAll();
  await world.collect();
  t.deepEqual([...world.blocks.blocks.keys()], [], "nothing is left when all files are deleted");
}

test("bytes and references stay right whatever comes between reading and commit", async (t) => {
  t.timeout(180_000);
  const histories = fc.array(step, { minLength: 1, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(histories, (steps) => run(t, steps)),
    { numRuns: 200, ...seedFromEnvironment() },
  );
  t.pass();
});
