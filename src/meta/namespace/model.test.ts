import test, { type ExecutionContext } from "ava";
import { SYSTEM } from "../../testing/system.ts";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { isDirectory, ROOT_CALLER } from "../../domain/attributes.ts";
import { ROOT_INO, type Ino, type Name } from "../../domain/ids.ts";
import { CHUNK_BYTES } from "../../domain/format.ts";
import { seedFromEnvironment } from "../../testing/engine/engine-conformance.ts";
import { modelErrno, ModelTree } from "../../testing/engine/engine-model.ts";
import type { ModelFile, ModelNode, Path } from "../../testing/engine/engine-model.ts";
import {
  SESSION,
  TestNamespace,
  type NamespaceCalls,
} from "../../testing/engine/engine-namespace.ts";
import type { Engine, ReadTransaction } from "../engine/engine.ts";
import { LmdbEngine } from "../engine/lmdb-engine.ts";
import { MemoryEngine } from "../engine/memory-engine.ts";
import { present } from "../../testing/present.ts";
import { closeSessionOpens } from "./open-inodes.ts";
import { reapStep } from "./reaper.ts";

interface Step {
  kind:
    | "create"
    | "mkdir"
    | "link"
    | "unlink"
    | "rmdir"
    | "rename"
    | "open"
    | "release"
    | "commit"
    | "truncate"
    | "reap";
  from: Path;
  to: Path;
  flags: number;
  pick: number;
  offset: number;
  lengths: number[];
}

const path = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 3 });
/** Around the start of the file, and the first two borders of chunks. */
const offset = fc
  .tuple(fc.constantFrom(0, 0, 0, CHUNK_BYTES, 2 * CHUNK_BYTES), fc.integer({ min: -20, max: 60 }))
  .map(([base, more]) => Math.max(0, base + more));
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(
    ...(["create", "create", "mkdir", "mkdir", "link", "unlink", "rmdir", "rename"] as const),
    ...(["rename", "open", "release", "commit", "commit", "truncate", "reap"] as const),
  ),
  from: path,
  to: path,
  flags: fc.constantFrom(0, 0, 1, 2),
  pick: fc.nat(),
  offset,
  lengths: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 3 }),
});

/** The real thing beside the model; `held` are the inodes of model.held, in the same order. */
class Pair {
  readonly fs: TestNamespace;
  readonly model = new ModelTree();
  readonly held: Ino[] = [];
  #byte = 0;

  constructor(fs: TestNamespace) {
    this.fs = fs;
  }

  async #both(
    t: ExecutionContext,
    model: () => void,
    real: (ns: NamespaceCalls, tx: Parameters<Parameters<Engine["transact"]>[0]>[0]) => unknown,
  ): Promise<boolean> {
    const expected = modelErrno(model);
    t.is(await this.fs.errno(real), expected);
    return expected === "ok";
  }

  async run(t: ExecutionContext, step: Step): Promise<void> {
    const { from, to, flags } = step;
    const tree = this.model;
    let ino = 0 as Ino;
    switch (step.kind) {
      case "create": {
        const made = await this.#both(
          t,
          () => tree.create(to),
          (ns, tx) => {
            const mode = { mode: 0o644 };
            ino = ns.create(tx, ROOT_CALLER, ...parent(ns, tx, to), mode, true).attr.ino;
          },
        );
        if (made) this.held.push(ino);
        break;
      }
      case "open": {
        const access = { read: true, write: true, truncate: false };
        const opened = await this.#both(
          t,
          () => tree.open(from),
          (ns, tx) => {
            ino = ns.open(tx, ROOT_CALLER, resolve(ns, tx, from), access).attr.ino;
          },
        );
        if (opened) this.held.push(ino);
        break;
      }
      case "mkdir":
        await this.#both(
          t,
          () => tree.mkdir(to),
          (ns, tx) => ns.mkdir(tx, ROOT_CALLER, ...parent(ns, tx, to), 0o755),
        );
        break;
      case "link":
        await this.#both(
          t,
          () => tree.link(from, to),
          (ns, tx) => ns.link(tx, ROOT_CALLER, resolve(ns, tx, from), ...parent(ns, tx, to)),
        );
        break;
      case "unlink":
        await this.#both(
          t,
          () => tree.unlink(from),
          (ns, tx) => ns.unlink(tx, ROOT_CALLER, ...parent(ns, tx, from)),
        );
        break;
      case "rmdir":
        await this.#both(
          t,
          () => tree.rmdir(from),
          (ns, tx) => ns.rmdir(tx, ROOT_CALLER, ...parent(ns, tx, from)),
        );
        break;
      case "rename":
        await this.#both(
          t,
          () => tree.rename(from, to, flags),
          (ns, tx) =>
            ns.rename(tx, ROOT_CALLER, ...parent(ns, tx, from), ...parent(ns, tx, to), flags),
        );
        break;
      case "reap":
        await this.fs.do((_ns, tx) => reapStep(tx, 2));
        break;
      default:
        await this.#content(step, step.pick % Math.max(1, this.held.length));
    }
  }

  /** Steps on a file held open, unlinked or not. */
  async #content({ kind, offset: at, lengths }: Step, index: number): Promise<void> {
    const ino = this.held[index];
    const file = this.model.held[index];
    if (ino === undefined || file === undefined) return;
    if (kind === "release") {
      this.model.release(index);
      this.held.splice(index, 1);
      await this.fs.do((ns, tx) => ns.release(tx, [ino]));
    } else if (kind === "truncate") {
      this.model.truncate(file, at);
      await this.fs.do((ns, tx) => ns.setattr(tx, ROOT_CALLER, ino, { sizeBytes: at }, true));
    } else {
      const extents = lengths.map((length, number) => {
        const start = at + number * 11;
        // An extent does not cross the border of a chunk.
        const room = CHUNK_BYTES - (start % CHUNK_BYTES);
        const bytes = new Uint8Array(Math.min(length, room)).fill((this.#byte++ % 255) + 1);
        this.model.write(file, start, bytes);
        return this.fs.extent(start, bytes.length, bytes);
      });
      await this.fs.commit(ino, extents);
    }
  }

  async compare(t: ExecutionContext): Promise<void> {
    t.deepEqual(await this.fs.broken(), []);
    await this.fs.see((ns, tx) => {
      compareNode(t, ns, tx, this.model.root, ROOT_INO);
      this.model.held.forEach((file, index) =>
        compareNode(t, ns, tx, file, this.held[index] ?? ROOT_INO),
      );
    });
  }
}

function resolve(ns: NamespaceCalls, tx: ReadTransaction, names: Path): Ino {
  let ino: Ino = ROOT_INO;
  for (const name of names) ino = ns.lookup(tx, ROOT_CALLER, ino, name as Name).ino;
  return ino;
}

function parent(ns: NamespaceCalls, tx: ReadTransaction, names: Path): [Ino, Name] {
  const ino = resolve(ns, tx, names.slice(0, -1));
  // Fails where the path leads through what is no directory, as a walk would.
  ns.lookup(tx, ROOT_CALLER, ino, "." as Name);
  return [ino, names.at(-1) as Name];
}

function compareNode(
  t: ExecutionContext,
  ns: NamespaceCalls,
  tx: ReadTransaction,
  node: ModelNode,
  ino: Ino,
): void {
  const attr = ns.getattr(tx, ino);
  t.is(isDirectory(attr.mode), node.kind === "directory");
  if (node.kind === "file") {
    t.like(attr, { nlink: node.nlink, sizeBytes: node.size });
    t.deepEqual(contentOf(ns, tx, ino), [...node.bytes].sort(byOffset));
    return;
  }
  const { entries } = ns.readdir(tx, ROOT_CALLER, ino, 0, 100, false);
  t.deepEqual(entries.map(({ name }) => String(name)).sort(), [...node.entries.keys()].sort());
  for (const entry of entries) {
    const child = present(node.entries.get(entry.name));
    compareNode(t, ns, tx, child, entry.ino);
  }
}

const byOffset = (left: [number, number], right: [number, number]): number => left[0] - right[0];

/** Every byte that is not in a hole, as the extents tell. */
function contentOf(ns: NamespaceCalls, tx: ReadTransaction, ino: Ino): [number, number][] {
  const bytes: ModelFile["bytes"] = new Map();
  for (const { chunk, extents } of ns.extents(tx, ino, [0, 1, 2])) {
    for (const { posInChunk, lengthBytes, offInSlice, inline } of extents) {
      for (let index = 0; index < lengthBytes; index += 1) {
        const at = chunk * CHUNK_BYTES + posInChunk + index;
        bytes.set(at, inline?.[offInSlice + index] ?? -1);
      }
    }
  }
  return [...bytes].sort(byOffset);
}

async function agrees(t: ExecutionContext, engine: Engine, steps: Step[]): Promise<void> {
  await using fs = await TestNamespace.on(engine);
  const pair = new Pair(fs);
  for (const next of steps) await pair.run(t, next);
  await pair.compare(t);
  while (!(await fs.do((_ns, tx) => closeSessionOpens(tx, SESSION))));
  await fs.reapAll(3);
  t.deepEqual(await fs.broken(), []);
}

const histories = fc.array(step, { minLength: 1, maxLength: 80 });

test("the namespace agrees with the reference model, in memory", async (t) => {
  await fc.assert(
    fc.asyncProperty(histories, (steps) => agrees(t, new MemoryEngine(), steps)),
    { numRuns: 300, ...seedFromEnvironment() },
  );
  t.pass();
});

test("the namespace agrees with the reference model, on lmdb", async (t) => {
  await fc.assert(
    fc.asyncProperty(histories, async (steps) => {
      const directory = await mkdtemp(join(tmpdir(), "dfs-model-"));
      try {
        await agrees(
          t,
          await LmdbEngine.open({ ...SYSTEM, directory, checkpointBytes: 2000 }),
          steps,
        );
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    }),
    { numRuns: 40, ...seedFromEnvironment() },
  );
  t.pass();
});
