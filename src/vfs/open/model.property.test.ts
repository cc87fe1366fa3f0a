// Random steps on the VFS over the real namespace, in process, compared with the reference model of
// a file system: two clients in turns, clients that die, and time that passes.
import test from "ava";
import fc from "fast-check";
import { CHUNK_BYTES } from "../../domain/format.ts";
import { drawSeed } from "../../testing/e2e/e2e-files.ts";
import { compare, eventCommand, replayOf, stepCommands } from "../../testing/model/commands.ts";
import { ReferenceModel } from "../../testing/model/reference-model.ts";
import { VfsSystem } from "../../testing/model/vfs-system.ts";
import type { TestSession } from "../../testing/vfs/vfs-meta.ts";
import { testMount, TINY_GEOMETRY, type TestMount } from "../../testing/vfs/vfs-mount.ts";

const WINDOW_BYTES = 600;
const WINDOWS = { bases: [0, CHUNK_BYTES - WINDOW_BYTES / 2], bytes: WINDOW_BYTES };
const EDGES = [0, 16, 17, 64, 128, 256, WINDOW_BYTES / 2];
const RUNS = Number(process.env["DFS_MODEL_RUNS"] ?? 150);
/** Names and attributes that another client changed may be that old. */
const STALE_MS = 1100;
const TIMES_MS = [1, 400, STALE_MS, 6000];

/** More turns of the event loop than a client takes between two steps. */
const COMMIT_TURNS = 8;

const SMALL = { geometry: TINY_GEOMETRY, maxDirtyBytes: 64 * 1024, cacheBytes: 64 * 1024 };

/** Clients of one namespace, of which one is used at a time. */
class Clients {
  readonly system: VfsSystem;
  #mounts: TestMount[];

  readonly #dead = new Set<TestSession>();

  private constructor(mounts: TestMount[], first: TestMount) {
    this.#mounts = mounts.map((mount) => this.#slowed(mount));
    this.system = new VfsSystem(first.vfs, WINDOWS);
  }

  static async create(): Promise<Clients> {
    const first = await testMount(SMALL);
    const { blocks, namespace, clock } = first;
    const second = await testMount({ blocks, namespace, clock, ...SMALL });
    return new Clients([first, second], first);
  }

  async pass(ms: number): Promise<void> {
    await this.#current.clock.advance(ms);
  }

  async takeTurn(model: ReferenceModel): Promise<void> {
    await this.closeAll(model);
    await this.pass(STALE_MS);
    this.#mounts.reverse();
    this.system.use(this.#current.vfs);
    await compare({ op: "dump" }, model, this.system);
  }

  /** A client that is never heard of again: nothing that it hasn't sent by now arrives. */
  async crash(model: ReferenceModel): Promise<void> {
    const { meta, blocks, namespace, clock } = this.#current;
    const never = (): Promise<never> => new Promise(() => undefined);
    for (const method of ["commit", "setattr", "release", "allocateSlices"] as const) {
      meta.hooks.set(method, never);
    }
    this.#dead.add(meta);
    this.#mounts[0] = this.#slowed(await testMount({ blocks, namespace, clock, ...SMALL }));
    this.system.use(this.#current.vfs);
    model.crash();
    const wrong: string[] = [];
    for (const path of model.doubtful()) {
      wrong.push(...model.adopt(path, await this.system.content(path)).map((what) => path + what));
    }
    if (wrong.length > 0) throw new Error(`after a crash: ${wrong.slice(0, 20).join(", ")}`);
    await compare({ op: "dump" }, model, this.system);
  }

  async remount(model: ReferenceModel): Promise<void> {
    await this.closeAll(model);
    const { vfs, blocks, namespace, clock } = this.#current;
    await vfs.close();
    this.#mounts[0] = this.#slowed(await testMount({ blocks, namespace, clock, ...SMALL }));
    this.system.use(this.#current.vfs);
    await compare({ op: "dump" }, model, this.system);
  }

  async closeAll(model: ReferenceModel): Promise<void> {
    for (const slot of model.slots) await compare({ op: "close", slot }, model, this.system);
  }

  /**
   * Commits take a while to get to the server, so that what wasn't waited for is lost with the
   * client.
   */
  #slowed(mount: TestMount): TestMount {
    const { meta } = mount;
    meta.hooks.set("commit", async (go) => {
      for (let turns = 0; turns < COMMIT_TURNS; turns += 1) await new Promise(setImmediate);
      return this.#dead.has(meta) ? new Promise<never>(() => undefined) : go();
    });
    return mount;
  }

  get #current(): TestMount {
    const [current] = this.#mounts;
    if (current === undefined) throw new Error("no client");
    return current;
  }
}

test("the VFS does what the reference model of a file system does", async (t) => {
  t.timeout(300_000);
  const { parameters, replay } = replayOf(drawSeed(t), RUNS);
  let clients: Clients;
  const events = [
    eventCommand("turn", (model) => clients.takeTurn(model)),
    eventCommand("the client dies", (model) => clients.crash(model)),
    eventCommand("mounted anew", (model) => clients.remount(model)),
    ...TIMES_MS.map((ms) => eventCommand(`${ms} ms pass`, () => clients.pass(ms))),
  ].map((event) => fc.constant(event));
  const commands = fc.commands([...stepCommands(WINDOWS, EDGES), ...events], {
    maxCommands: 200,
    size: "max",
    ...replay,
  });
  await fc.assert(
    fc.asyncProperty(commands, async (drawn) => {
      clients = await Clients.create();
      const model = new ReferenceModel(WINDOWS);
      await fc.asyncModelRun(() => ({ model, real: clients.system }), drawn);
      await clients.closeAll(model);
      await compare({ op: "dump" }, model, clients.system);
    }),
    parameters,
  );
  t.pass();
});
