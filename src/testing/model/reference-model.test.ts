// The oracle of the oracle: random steps in a local directory, whose file system the reference
// model must agree with.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import { drawSeed } from "../e2e/e2e-files.ts";
import { compare, replayOf, stepCommands } from "./commands.ts";
import { DirectorySystem } from "./directory-system.ts";
import { ReferenceModel } from "./reference-model.ts";

const WINDOWS = { bases: [0, 1 << 20], bytes: 12_288 };
const RUNS = Number(process.env["DFS_MODEL_RUNS"] ?? 60);

async function localDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dfs-model-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

test("the reference model does what a local file system does", async (t) => {
  t.timeout(300_000);
  const base = await localDirectory(t);
  await using local = new DirectorySystem(WINDOWS);
  const { parameters, replay } = replayOf(drawSeed(t), RUNS);
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.commands(stepCommands(WINDOWS, [0, 4096, 8192]), {
        maxCommands: 200,
        size: "max",
        ...replay,
      }),
      async (commands) => {
        runs += 1;
        const model = new ReferenceModel(WINDOWS);
        await local.enter(join(base, String(runs)), true);
        try {
          await fc.asyncModelRun(() => ({ model, real: local }), commands);
          await compare({ op: "dump" }, model, local);
        } finally {
          await local.forget();
        }
      },
    ),
    parameters,
  );
  t.pass();
});
