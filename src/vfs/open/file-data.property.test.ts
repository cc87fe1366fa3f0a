// Random operations on files, compared with plain byte arrays; with and without failing puts and
// commits.
import test from "ava";
import fc from "fast-check";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { FsError, isFsError } from "../../domain/errno.ts";
import { CHUNK_BYTES } from "../../domain/format.ts";
import { MemoryBlockStore } from "../../testing/vfs/block-memory.ts";
import {
  createFile,
  patternBytes,
  testMount,
  TINY_GEOMETRY,
  type TestMount,
} from "../../testing/vfs/vfs-mount.ts";
import { FileModel } from "../../testing/vfs/vfs-model.ts";
import { O_RDWR } from "../vfs.ts";
import { present } from "../../testing/present.ts";

/** Where the action is: the start, and around the edges of chunks. */
const WINDOWS = [0, CHUNK_BYTES - 300, 2 * CHUNK_BYTES - 150];
const WINDOW_BYTES = 1000;
const MAX_LOSSES = 3;

const place = fc.record({
  window: fc.integer({ min: 0, max: WINDOWS.length - 1 }),
  within: fc.oneof(fc.integer({ min: 0, max: 400 }), fc.constantFrom(0, 16, 64, 128, 256, 300)),
});

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant("write" as const),
      place,
      length: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 300 })),
      seed: fc.nat(255),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant("append" as const),
      length: fc.integer({ min: 1, max: 150 }),
      seed: fc.nat(255),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant("read" as const),
      place,
      length: fc.integer({ min: 1, max: 400 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant("truncate" as const), place, wait: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("flush" as const), wait: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("fsync" as const), wait: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("reopen" as const) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("touch" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("time" as const),
      ms: fc.constantFrom(1, 400, 1100, 6000),
    }),
  },
);

const lose = fc.record({ op: fc.constant("lose" as const) });

type Step =
  | (typeof step extends fc.Arbitrary<infer T> ? T : never)
  | (typeof lose extends fc.Arbitrary<infer T> ? T : never);

/** Runs steps on one file, keeping model and file alike. */
class Run {
  readonly mount: TestMount;
  readonly model = new FileModel();
  readonly #ino: number;
  #fh: number;
  readonly #background: Promise<unknown>[] = [];
  failures = 0;
  #losses = 0;

  constructor(mount: TestMount, opened: { fh: number; attr: { ino: number } }) {
    this.mount = mount;
    this.#fh = opened.fh;
    this.#ino = opened.attr.ino;
  }

  async step(step: Step): Promise<void> {
    try {
      await this.#do(step);
    } catch (error) {
      if (!isFsError(error)) throw error;
      await this.#recover();
    }
  }

  /** Everything is committed, and what another client sees is right. */
  async finish(): Promise<void> {
    await this.step({ op: "flush", wait: true });
    await this.step({ op: "reopen" });
    await this.check();
    const other = await testMount({ ...this.mount, geometry: TINY_GEOMETRY });
    const opened = await other.vfs.open(ROOT_CALLER, this.#ino as never, 0);
    await checkWindows(other, opened.fh, this.model);
    if (opened.attr.sizeBytes !== this.model.sizeBytes) {
      throw new Error(`another client sees ${opened.attr.sizeBytes} bytes`);
    }
  }

  async check(): Promise<void> {
    await checkWindows(this.mount, this.#fh, this.model);
    const { sizeBytes } = await this.mount.vfs.getattr(ROOT_CALLER, this.#ino as never);
    if (sizeBytes !== this.model.sizeBytes) {
      throw new Error(`size is ${sizeBytes} instead of ${this.model.sizeBytes}`);
    }
  }

  async #do(step: Step): Promise<void> {
    const { vfs, clock } = this.mount;
    switch (step.op) {
      case "write": {
        const data = patternBytes(step.length, step.seed);
        await this.#write(offsetOf(step.place), data);
        return;
      }
      case "append":
        if (WINDOWS.some((base) => withinWindow(this.model.sizeBytes - base, step.length))) {
          await this.#write(this.model.sizeBytes, patternBytes(step.length, step.seed));
        }
        return;
      case "read": {
        await this.#quiet();
        const offset = offsetOf(step.place);
        const found = Buffer.concat(await vfs.read(this.#fh, offset, step.length));
        const wanted = this.model.read(offset, step.length);
        // What could not be written may have been given up for want of memory: then flush says so.
        if (!found.equals(wanted)) await this.#flush();
        requireSame(found, wanted, offset);
        return;
      }
      case "truncate": {
        const sizeBytes = offsetOf(step.place);
        const done = vfs.setattr(ROOT_CALLER, this.#ino as never, { sizeBytes }, this.#fh);
        this.model.truncate(sizeBytes);
        await this.#maybeWait(done, step.wait);
        return;
      }
      case "flush":
        await this.#maybeWait(this.#flush(), step.wait);
        return;
      case "fsync":
        await this.#maybeWait(vfs.fsync(this.#fh), step.wait);
        return;
      case "reopen": {
        await this.#quiet();
        await this.#flush();
        this.model.settle();
        vfs.release(this.#fh);
        const { fh } = await vfs.open(ROOT_CALLER, this.#ino as never, O_RDWR);
        this.#fh = fh;
        await this.check();
        return;
      }
      case "touch":
        await vfs.setattr(ROOT_CALLER, this.#ino as never, { mtime: { sec: 1, nsec: 2 } });
        return;
      case "lose":
        // A slice is given up when this happens to it more often.
        this.#losses += 1;
        if (this.#losses <= MAX_LOSSES) await this.mount.meta.lose();
        return;
      case "time":
        await clock.advance(step.ms);
    }
  }

  async #write(offset: number, data: Buffer): Promise<void> {
    const passed = Buffer.from(data);
    // The model first: a write that fails half-way may have left bytes.
    this.model.write(offset, data);
    await this.mount.vfs.write(this.#fh, offset, passed, false);
    passed.fill(0xee);
  }

  async #flush(): Promise<void> {
    await this.mount.vfs.flush(this.#fh);
  }

  async #maybeWait(done: Promise<unknown>, wait: boolean): Promise<void> {
    if (wait) await done;
    else this.#background.push(done.catch((error: unknown) => error));
  }

  /** Waits for what runs in the background; throws what failed there. */
  async #quiet(): Promise<void> {
    const results = await Promise.all(this.#background.splice(0));
    for (const result of results) if (result instanceof Error) throw result;
  }

  /** A failure was told: sync until none is left, then see that no byte came from nowhere. */
  async #recover(): Promise<void> {
    this.failures += 1;
    for (let tries = 0; ; tries += 1) {
      if (tries === 20) throw new Error("failures never end");
      try {
        await this.#quiet();
        await this.mount.vfs.fsync(this.#fh);
        break;
      } catch (error) {
        if (!isFsError(error)) throw error;
      }
    }
    const { vfs } = this.mount;
    const { sizeBytes } = await vfs.getattr(ROOT_CALLER, this.#ino as never);
    const wrong: string[] = [];
    for (const base of WINDOWS) {
      const found = Buffer.concat(await vfs.read(this.#fh, base, WINDOW_BYTES));
      wrong.push(...this.model.adopt(base, found, sizeBytes));
    }
    if (wrong.length > 0) throw new Error(`after a failure: ${wrong.slice(0, 5).join(", ")}`);
    this.model.settle();
  }
}

function offsetOf({ window, within }: { window: number; within: number }): number {
  return present(WINDOWS[window]) + within;
}

function withinWindow(position: number, length: number): boolean {
  return position >= 0 && position + length <= WINDOW_BYTES;
}

async function checkWindows({ vfs }: TestMount, fh: number, model: FileModel): Promise<void> {
  for (const base of WINDOWS) {
    const found = Buffer.concat(await vfs.read(fh, base, WINDOW_BYTES));
    requireSame(found, model.read(base, WINDOW_BYTES), base);
  }
}

function requireSame(found: Buffer, wanted: Buffer, offset: number): void {
  if (found.equals(wanted)) return;
  const at = [...wanted].findIndex((value, index) => found[index] !== value);
  throw new Error(
    `${found.length} bytes instead of ${wanted.length}; at ${offset + at} ` +
      `${found[at] ?? "nothing"} instead of ${wanted[at] ?? "nothing"}`,
  );
}

/** Puts that take a varying number of turns, the same for the same seed. */
function slowStore(seed: number): MemoryBlockStore {
  const store = new MemoryBlockStore();
  let state = seed;
  const wait = async (): Promise<void> => {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    for (let turns = (state >> 8) % 4; turns > 0; turns -= 1) await new Promise(setImmediate);
  };
  store.onPut = wait;
  store.onRead = wait;
  return store;
}

function parameters(numRuns: number): fc.Parameters<unknown> {
  const seed = process.env["DFS_SEED"];
  return {
    numRuns,
    includeErrorInReport: true,
    ...(seed === undefined ? {} : { seed: Number(seed) }),
  };
}

test("a file reads as plain bytes would, whatever the order of operations", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof({ weight: 25, arbitrary: step }, { weight: 1, arbitrary: lose }), {
        maxLength: 60,
        size: "max",
      }),
      fc.nat(),
      async (steps, seed) => {
        const mount = await testMount({
          geometry: TINY_GEOMETRY,
          blocks: slowStore(seed),
          maxDirtyBytes: 64 * 1024,
          cacheBytes: 64 * 1024,
        });
        const run = new Run(mount, await createFile(mount.vfs, "file"));
        for (const each of steps) await run.step(each);
        await run.finish();
        if (run.failures > 0) throw new Error("an operation failed although nothing was wrong");
      },
    ),
    parameters(Number(process.env["VFS_RUNS"] ?? 300)),
  );
  t.pass();
});

test("failing puts and commits are told, and never become bytes nobody wrote", async (t) => {
  let failures = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60, size: "max" }),
      fc.nat(),
      fc.integer({ min: 2, max: 12 }),
      async (steps, seed, every) => {
        const blocks = slowStore(seed);
        const slow = blocks.onPut;
        let puts = 0;
        blocks.onPut = async (ref) => {
          await slow(ref);
          puts += 1;
          if (puts % every === 0) throw new FsError("ENOSPC", "injected");
        };
        const mount = await testMount({
          geometry: TINY_GEOMETRY,
          blocks,
          maxDirtyBytes: 64 * 1024,
          cacheBytes: 64 * 1024,
        });
        let commits = 0;
        mount.meta.hooks.set("commit", async (go) => {
          commits += 1;
          if (commits % every === 1) throw new FsError("EIO", "injected before");
          const reply = await go();
          if (commits % every === 0) throw new FsError("ETIMEDOUT", "injected after");
          return reply;
        });
        const run = new Run(mount, await createFile(mount.vfs, "file"));
        for (const each of steps) await run.step(each);
        failures += run.failures;
      },
    ),
    parameters(Number(process.env["VFS_RUNS"] ?? 300)),
  );
  t.true(failures > 0, "no failure was ever met");
});
