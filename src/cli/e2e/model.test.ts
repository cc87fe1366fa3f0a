// Random system calls on real mounts, each compared with the reference model: over remounts,
// crashes of the client and of the metadata server, and by two clients in turns. DFS_TEST_LONG=1
// for the long run; how to replay stands in src/testing/model/commands.ts.
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import { CHUNK_BYTES, MAX_INLINE_BYTES } from "../../domain/format.ts";
import { E2eCluster, HANG_MS } from "../../testing/e2e/e2e-cluster.ts";
import { drawSeed } from "../../testing/e2e/e2e-files.ts";
import {
  compare,
  eventCommand,
  replayOf,
  stepCommands,
  type ModelCommand,
} from "../../testing/model/commands.ts";
import { DirectorySystem } from "../../testing/model/directory-system.ts";
import { ReferenceModel } from "../../testing/model/reference-model.ts";
import type { Step } from "../../testing/model/steps.ts";
import { O_CREAT, O_RDWR } from "../../vfs/vfs.ts";
import { present } from "../../testing/present.ts";

const LONG = process.env["DFS_TEST_LONG"] === "1";
const TIMEOUT_MS = LONG ? 3_600_000 : HANG_MS;
/** A failure is made smaller for so long. */
const SHRINK_MS = LONG ? 1_800_000 : 200_000;
const WINDOW_BYTES = 40_960;
/** The second window has the end of a chunk in its middle. */
const WINDOWS = { bases: [0, CHUNK_BYTES - WINDOW_BYTES / 2], bytes: WINDOW_BYTES };
const EDGES = [0, 4096, MAX_INLINE_BYTES, MAX_INLINE_BYTES + 1, WINDOW_BYTES / 2, 32_768];
/** What SEMANTICS.md says of names and attributes between two opens, and a little. */
const STALE_MS = 1100;

interface Pids {
  readonly mount: number;
  readonly meta: number;
}

/** None that the random steps use. */
const LAST_SLOT = 100;

/** A cluster with clients, and a process that makes the calls through one of them. */
class Mounts implements AsyncDisposable {
  readonly cluster: E2eCluster;
  readonly system = new DirectorySystem(WINDOWS);
  readonly #mountpoints: string[];
  #name = "";
  #runs = 0;
  #turn = 0;
  #crashes = 0;
  #metaStarts: Promise<void> = Promise.resolve();
  #pids: Promise<Pids> = Promise.reject(new Error("not asked for"));

  constructor(cluster: E2eCluster, mountpoints: readonly string[]) {
    this.cluster = cluster;
    this.#mountpoints = [...mountpoints];
    this.#learnPids();
  }

  /** An empty directory for the next run. */
  async begin(): Promise<void> {
    this.#runs += 1;
    this.#name = `run-${this.#runs}`;
    await this.#enter(true);
  }

  /** All is closed and stands as the model says, now and after mounting anew. */
  async end(model: ReferenceModel): Promise<void> {
    await this.#closeAll(model);
    await compare({ op: "dump" }, model, this.system);
    await this.#metaStarts;
  }

  /** What `kill -9` of the mount leaves: whatever was closed or synced is there. */
  async crash(model: ReferenceModel): Promise<void> {
    await this.#metaStarts;
    const { mount } = await this.#pids;
    // The last thing it does is a close that it was told of, of more bytes than travel inline.
    this.#crashes += 1;
    const slot = LAST_SLOT;
    const path = `last-${this.#crashes}`;
    const steps: Step[] = [
      { op: "open", slot, path, flags: O_RDWR | O_CREAT, mode: 0o600 },
      { op: "write", slot, offset: 0, length: WINDOW_BYTES, seed: this.#crashes },
      { op: "close", slot },
    ];
    for (const step of steps) await compare(step, model, this.system);
    // Not by a command, during which the bytes would find their way without having been waited for.
    process.kill(mount, "SIGKILL");
    await this.system.forget();
    await this.cluster.start("mount");
    this.#learnPids();
    model.crash();
    const wrong: string[] = [];
    for (const path of model.doubtful()) {
      const found = await this.system.content(path);
      wrong.push(...model.adopt(path, found).map((what) => `${path}: ${what}`));
    }
    if (wrong.length > 0) {
      const history = model.history.join("\n");
      throw new Error(`after a crash ${wrong.slice(0, 20).join(", ")}\nafter\n${history}`);
    }
    await compare({ op: "dump" }, model, this.system);
  }

  async remount(model: ReferenceModel): Promise<void> {
    await this.#closeAll(model);
    await this.#metaStarts;
    await this.cluster.demo("remount");
    this.#learnPids();
    await compare({ op: "dump" }, model, this.system);
  }

  /** The calls that follow wait until it is there again. */
  async killMeta(): Promise<void> {
    await this.#metaStarts;
    const { meta } = await this.#pids;
    process.kill(meta, "SIGKILL");
    this.#metaStarts = this.cluster.start("meta").then(() => this.#learnPids());
    this.#metaStarts.catch(() => undefined);
  }

  /** The other client goes on where this one stops. */
  async takeTurn(model: ReferenceModel): Promise<void> {
    await this.#closeAll(model);
    await new Promise((resolve) => setTimeout(resolve, STALE_MS));
    this.#turn = (this.#turn + 1) % this.#mountpoints.length;
    await this.#enter(false);
    await compare({ op: "dump" }, model, this.system);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.system[Symbol.asyncDispose]();
    await this.#metaStarts;
    await this.#pids;
  }

  #learnPids(): void {
    // Whoever needs them is told of a failure.
    this.#pids.catch(() => undefined);
    this.#pids = this.#askPids();
    this.#pids.catch(() => undefined);
  }

  async #askPids(): Promise<Pids> {
    const { mountPid, meta } = await this.cluster.report();
    if (mountPid === null || meta.pid === null) throw new Error("the cluster isn't whole");
    return { mount: mountPid, meta: meta.pid };
  }

  async #enter(make: boolean): Promise<void> {
    await this.system.enter(join(present(this.#mountpoints[this.#turn]), this.#name), make);
  }

  async #closeAll(model: ReferenceModel): Promise<void> {
    for (const slot of model.slots) await compare({ op: "close", slot }, model, this.system);
  }
}

async function exercise(
  t: ExecutionContext,
  mounts: Mounts,
  options: { runs: number; maxCommands: number; events?: readonly ModelCommand[] },
): Promise<void> {
  const { parameters, replay } = replayOf(drawSeed(t), options.runs);
  const events = (options.events ?? []).map((event) => fc.constant(event));
  const steps = stepCommands(WINDOWS, EDGES);
  // Twice, since an event takes as long as hundreds of steps.
  const commands = fc.commands([...steps, ...steps, ...events], {
    maxCommands: options.maxCommands,
    size: "max",
    ...replay,
  });
  const property = fc.asyncProperty(commands, async (drawn) => {
    const model = new ReferenceModel(WINDOWS);
    await mounts.begin();
    try {
      await fc.asyncModelRun(() => ({ model, real: mounts.system }), drawn);
      await mounts.end(model);
    } finally {
      await mounts.system.forget();
    }
  });
  await fc.assert(property, { ...parameters, interruptAfterTimeLimit: SHRINK_MS });
  t.pass();
}

test.serial("a mount does what the reference model does", async (t) => {
  t.timeout(TIMEOUT_MS);
  const cluster = await E2eCluster.up(t, { nodes: 3 });
  await using mounts = new Mounts(cluster, [cluster.mnt]);
  await exercise(t, mounts, { runs: LONG ? 2000 : 60, maxCommands: 200 });
});

test.serial(
  "what was closed or synced outlives every crash, and nothing else appears",
  async (t) => {
    t.timeout(TIMEOUT_MS);
    const cluster = await E2eCluster.up(t, { nodes: 3 });
    await using mounts = new Mounts(cluster, [cluster.mnt]);
    const events = [
      eventCommand("the client is killed", (model) => mounts.crash(model)),
      eventCommand("the client is mounted anew", (model) => mounts.remount(model)),
      eventCommand("the metadata server is killed", () => mounts.killMeta()),
    ];
    await exercise(t, mounts, { runs: LONG ? 100 : 8, maxCommands: 200, events });
  },
);

test.serial("two clients in turns do what the reference model does", async (t) => {
  t.timeout(TIMEOUT_MS);
  const cluster = await E2eCluster.up(t, { nodes: 3 });
  const second = await cluster.mountAgain(t, "second");
  await using mounts = new Mounts(cluster, [cluster.mnt, second]);
  const events = [eventCommand("turn", (model) => mounts.takeTurn(model))];
  await exercise(t, mounts, { runs: LONG ? 100 : 8, maxCommands: 200, events });
});
