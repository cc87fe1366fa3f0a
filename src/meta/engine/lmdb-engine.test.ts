import test, { type ExecutionContext } from "ava";
import { SYSTEM } from "../../testing/system.ts";
import { spawn, type ChildProcessByStdio } from "node:child_process";
import {
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import fc from "fast-check";
import { invariant } from "../../domain/invariant.ts";
import { engineConformance, seedFromEnvironment } from "../../testing/engine/engine-conformance.ts";
import { commitNumbered, historyLength, numbered } from "../../testing/engine/engine-history.ts";
import { MemoryStore } from "../../testing/store/memory-store.ts";
import type { DiskFigures } from "../../platform/disk/disk.ts";
import { violationOf } from "../../testing/violation.ts";
import { present } from "../../testing/present.ts";
import type { Clock } from "../../platform/clock.ts";
import { openLmdbStore } from "../../platform/store/open-lmdb-store.ts";
import { CheckpointStore } from "./checkpoint-store.ts";
import { FILE_HEAD } from "./journal-records.ts";
import { JournalFile } from "./journal.ts";
import type { Changes } from "./layers.ts";
import { LmdbEngine } from "./lmdb-engine.ts";
import { SortedMap } from "./sorted-map.ts";

async function directoryFor(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dfs-engine-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

engineConformance("lmdb", async (t) =>
  LmdbEngine.open({ ...SYSTEM, directory: await directoryFor(t) }),
);

// A checkpoint after every few commits: most reads go through all layers.
engineConformance("lmdb with tiny checkpoints", async (t) =>
  LmdbEngine.open({ ...SYSTEM, directory: await directoryFor(t), checkpointBytes: 64 }),
);

engineConformance("journal over a store in memory", async (t) =>
  LmdbEngine.open({
    ...SYSTEM,
    directory: await directoryFor(t),
    openStore: () => new MemoryStore(),
    checkpointBytes: 5000,
  }),
);

test("what was committed is there after close and open, whatever was checkpointed", async (t) => {
  for (const checkpointBytes of [100, 3000, 1e6]) {
    const directory = await directoryFor(t);
    let length = 0;
    for (let round = 0; round < 3; round += 1) {
      await using engine = await LmdbEngine.open({
        ...SYSTEM,
        directory,
        checkpointBytes,
      });
      t.is(await historyLength(t, engine), length);
      for (const end = length + 100; length < end; length += 1)
        await commitNumbered(engine, length);
    }
  }
});

/** A compiled module of ours, as an import statement in a program's text names it. */
function moduleUrl(path: string): string {
  return JSON.stringify(new URL(path, import.meta.url).href);
}

test("after kill -9 nothing acknowledged is lost and nothing is half there", async (t) => {
  const directory = await directoryFor(t);
  const program = `
    import { writeSync } from "node:fs";
    import { LmdbEngine } from ${moduleUrl("lmdb-engine.js")};
    import { SYSTEM } from ${moduleUrl("../../testing/system.js")};
    const numbered = (index) => {
      const key = Buffer.alloc(8);
      key.writeDoubleBE(index);
      return key;
    };
    const [, directory] = process.argv;
    const engine = await LmdbEngine.open({ ...SYSTEM, directory, checkpointBytes: 20000 });
    const newest = engine.read((tx) => tx.get(Buffer.from("newest")));
    let next = newest === undefined ? 0 : Buffer.from(newest).readDoubleBE() + 1;
    const work = async () => {
      for (;;) {
        const index = next++;
        await engine.transact((tx) => {
          tx.put(numbered(index), Buffer.from(String(index)));
          tx.put(Buffer.from("newest"), numbered(index));
          if (index % 3 === 0) tx.delete(numbered(index - 1));
        });
        writeSync(1, index + "\\n");
      }
    };
    for (let worker = 0; worker < 4; worker++) work();
  `;
  let acknowledged = -1;
  for (const lines of [50, 2000, 5000]) {
    const child = run(program, directory);
    let left = lines;
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged = Math.max(acknowledged, Number(line));
      if (--left === 0) child.kill("SIGKILL");
    }
    const engine = await LmdbEngine.open({ ...SYSTEM, directory });
    t.true((await historyLength(t, engine)) > acknowledged);
    await engine.close();
  }
  t.true(acknowledged > 5000);
});

function run(program: string, directory: string): ChildProcessByStdio<null, Readable, Readable> {
  return spawn(process.execPath, ["--input-type=module", "-e", program, directory], {
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/**
 * Journals of generations 1 to 4 as a machine leaves them that loses its power: 120 commits.
 * Returns the journals' lengths after each of them.
 */
async function writeJournals(directory: string): Promise<{ generation: number; bytes: number }[]> {
  const what = "the store";
  const store = new CheckpointStore(openLmdbStore({ directory, what, syncEachCommit: true }));
  const storeId = SYSTEM.random.uuid();
  const begun = { storeId, applied: 0, crc: 0, position: 0, created: 5 };
  await store.write([], { ...begun, incarnations: [], clean: false });
  await store.close();
  await (await JournalFile.create(SYSTEM.disk, directory, storeId, 5)).close();
  const lengths = [];
  let crc = 0;
  for (let generation = 1; generation <= 4; generation += 1) {
    const journal = await JournalFile.create(SYSTEM.disk, directory, storeId, generation);
    journal.follow(crc, lengths.length);
    const end = generation === 4 ? 0 : generation * 40;
    for (let index = end - 40; index >= 0 && index < end; index += 1) {
      const changes: Changes = new SortedMap();
      changes.set(numbered(index).toString("latin1"), Buffer.from(String(index)));
      changes.set("newest", numbered(index));
      if (index % 3 === 0) changes.set(numbered(index - 1).toString("latin1"), null);
      journal.add(changes);
      journal.commit(lengths.length + 1, 0);
      lengths.push({ generation, bytes: journal.writtenBytes });
    }
    crc = journal.crc;
    await journal.close();
  }
  return lengths;
}

test("a journal torn by a power cut leaves a beginning of the history, no mixture", async (t) => {
  const whole = await directoryFor(t);
  await writeJournals(whole);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.nat(), async (generation, cut) => {
      const copy = await mkdtemp(join(tmpdir(), "dfs-engine-"));
      try {
        cpSync(whole, copy, { recursive: true });
        const torn = join(copy, `journal-${generation}`);
        truncateSync(torn, FILE_HEAD + (cut % (statSync(torn).size - FILE_HEAD + 1)));
        for (let restart = 0; restart < 2; restart += 1) {
          await using engine = await LmdbEngine.open({ ...SYSTEM, directory: copy });
          const length = await historyLength(t, engine);
          t.true(length <= 121 && length >= Math.min(generation - 1, 3) * 40);
          await commitNumbered(engine, length);
          t.is(await historyLength(t, engine), length + 1);
        }
      } finally {
        await rm(copy, { recursive: true, force: true });
      }
    }),
    { numRuns: 25, ...seedFromEnvironment() },
  );
});

test("a journal that ends early between two commits is not followed by the next", async (t) => {
  const whole = await directoryFor(t);
  const lengths = await writeJournals(whole);
  for (const commits of [1, 13, 39, 40, 41, 79, 80, 81, 119, 120]) {
    const copy = await directoryFor(t);
    cpSync(whole, copy, { recursive: true });
    const { generation, bytes } = present(lengths[commits - 1]);
    truncateSync(join(copy, `journal-${generation}`), bytes);
    await using engine = await LmdbEngine.open({ ...SYSTEM, directory: copy });
    // Cut off at its end, a journal is whole, and the next one counts.
    t.is(await historyLength(t, engine), commits % 40 === 0 ? 120 : commits);
  }
});

test("a commit that is overtaken by a flipped bit ends the replay", async (t) => {
  const directory = await directoryFor(t);
  // Nothing reaches the disk by itself here.
  const clock: Clock = { ...SYSTEM.clock, after: () => () => undefined };
  const engine = await LmdbEngine.open({ ...SYSTEM, clock, directory });
  for (let index = 0; index < 30; index += 1) await commitNumbered(engine, index);
  const copy = await directoryFor(t);
  cpSync(directory, copy, { recursive: true });
  await engine.close();
  const journal = readFileSync(join(copy, "journal-1"));
  journal[journal.length >>> 1] = present(journal[journal.length >>> 1]) ^ 4;
  writeFileSync(join(copy, "journal-1"), journal);
  await using recovered = await LmdbEngine.open({ ...SYSTEM, directory: copy });
  const length = await historyLength(t, recovered);
  t.true(length > 5 && length < 25);
});

test("a store of real files that has lost something durable is refused, and stays", async (t) => {
  const whole = await directoryFor(t);
  const engine = await LmdbEngine.open({ ...SYSTEM, directory: whole });
  for (let index = 0; index < 30; index += 1) await commitNumbered(engine, index, true);
  const damages: Record<string, (directory: string) => void> = {
    "a flipped bit": (directory) => {
      const journal = readFileSync(join(directory, "journal-1"));
      journal[1000] = present(journal[1000]) ^ 4;
      writeFileSync(join(directory, "journal-1"), journal);
    },
    "a missing journal": (directory) => rmSync(join(directory, "journal-1")),
    "a missing spare": (directory) => rmSync(join(directory, "journal-2")),
    "a missing database": (directory) => rmSync(join(directory, "data.mdb")),
    "an empty database": (directory) => truncateSync(join(directory, "data.mdb")),
    "no database": (directory) => writeFileSync(join(directory, "data.mdb"), Buffer.alloc(9000)),
  };
  for (const [what, damage] of Object.entries(damages)) {
    const directory = await directoryFor(t);
    cpSync(whole, directory, { recursive: true });
    damage(directory);
    const journals = readdirSync(directory).filter((name) => name.startsWith("journal"));
    for (let start = 0; start < 2; start += 1) {
      const message = /dfs meta restore/;
      await t.throwsAsync(
        LmdbEngine.open({ ...SYSTEM, directory }),
        { code: "EIO", message },
        what,
      );
      t.deepEqual(
        readdirSync(directory).filter((name) => name.startsWith("journal")),
        journals,
      );
    }
  }
  await engine.close();
});

test("a process that waits only for space on a full disk doesn't end", async (t) => {
  const directory = await directoryFor(t);
  const program = `
    import { LmdbEngine } from ${moduleUrl("lmdb-engine.js")};
    import { SYSTEM } from ${moduleUrl("../../testing/system.js")};
    let refusals = 0;
    const open = async (...args) => {
      const file = await SYSTEM.disk.open(...args);
      const writeSync = file.writeSync.bind(file);
      file.writeSync = (...write) => {
        if (refusals-- > 0) throw Object.assign(new Error("full"), { code: "ENOSPC" });
        return writeSync(...write);
      };
      return file;
    };
    const disk = { ...SYSTEM.disk, open };
    const engine = await LmdbEngine.open({ ...SYSTEM, disk, directory: process.argv[1] });
    refusals = 1;
    await engine.transact((tx) => tx.put(Buffer.from("key"), Buffer.from("value")));
    await engine.close();
    console.log("stored");
  `;
  const lines: string[] = [];
  for await (const line of createInterface({ input: run(program, directory).stdout })) {
    lines.push(line);
  }
  t.deepEqual(lines, ["stored"]);
});

test("a second process is refused, and told which one is in the way", async (t) => {
  const directory = await directoryFor(t);
  await using engine = await LmdbEngine.open({ ...SYSTEM, directory });
  await commitNumbered(engine, 0);
  const program = `
    import { LmdbEngine } from ${moduleUrl("lmdb-engine.js")};
    import { SYSTEM } from ${moduleUrl("../../testing/system.js")};
    try { await LmdbEngine.open({ ...SYSTEM, directory: process.argv[1] }); console.log("opened"); }
    catch (error) { console.log(error.code, error.message); }
  `;
  const lines: string[] = [];
  for await (const line of createInterface({ input: run(program, directory).stdout })) {
    lines.push(line);
  }
  t.regex(lines.join("\n"), new RegExp(`^EBUSY .*pid ${process.pid}`));
  await commitNumbered(engine, 1);
  t.is(await historyLength(t, engine), 2);
});

test("commits that wait for the disk share its flushes and come back in any number", async (t) => {
  const directory = await directoryFor(t);
  await using engine = await LmdbEngine.open({
    ...SYSTEM,
    directory,
    checkpointBytes: 5000,
  });
  await Promise.all(Array.from({ length: 300 }, (_, index) => commitNumbered(engine, index, true)));
  await Promise.all(Array.from({ length: 50 }, () => engine.flush()));
  t.is(await historyLength(t, engine), 300);
});

test("an engine that cannot store any more refuses everything, with the reason", async (t) => {
  const directory = await directoryFor(t);
  await using engine = await LmdbEngine.open({
    ...SYSTEM,
    directory,
    checkpointBytes: 1000,
  });
  await rm(directory, { recursive: true });
  const error = await t.throwsAsync(async () => {
    for (let index = 0; ; index += 1) await commitNumbered(engine, index, true);
  });
  t.like(error, { code: "EIO", cause: { code: "ENOENT" } });
  t.throws(() => engine.read((tx) => tx.get(numbered(0))), { code: "EIO" });
  await t.throwsAsync(engine.flush(), { code: "EIO" });
});

test("what was deleted in memory is room again, though the file doesn't shrink", async (t) => {
  const directory = await directoryFor(t);
  const totalBytes = 100_000_000;
  // A journal may be removed, by another thread, between its listing and its stat.
  const bytesOf = (name: string): number =>
    statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0;
  const usedBytes = (): number =>
    readdirSync(directory).reduce((sum, name) => sum + bytesOf(name), 0);
  const figures = (): DiskFigures => ({ totalBytes, freeBytes: totalBytes - usedBytes() });
  await using engine = await LmdbEngine.open({
    ...SYSTEM,
    directory,
    disk: { ...SYSTEM.disk, figures },
    checkpointBytes: 1e6,
  });
  const put = (index: number): Promise<void> => {
    return engine.transact((tx) => tx.put(numbered(index), Buffer.alloc(100_000)));
  };
  let count = 0;
  while (engine.hasRoom()) {
    await put(count);
    count += 1;
  }
  t.true(usedBytes() < totalBytes);
  for (let index = 0; index < count; index += 1) {
    await engine.transact((tx) => tx.delete(numbered(index)));
  }
  // A refused change asks as it is tried, and is followed by a checkpoint.
  while (!(await engine.transact(() => engine.hasRoom()))) await new Promise(setImmediate);
  t.true(usedBytes() > totalBytes / 3);
});

test("a broken invariant in a transaction keeps its group from the journal", async (t) => {
  const directory = await directoryFor(t);
  await using engine = await LmdbEngine.open({ ...SYSTEM, directory });
  const ended: string[] = [];
  const end = (): void => void ended.push("settled");
  await violationOf(() => {
    void commitNumbered(engine, 0).then(end, end);
    const broken = engine.transact(() => invariant(t.title === "", "broken"));
    void broken.then(end, end);
  });
  t.deepEqual(ended, []);
  cpSync(directory, `${directory}-copy`, { recursive: true });
  t.teardown(() => rm(`${directory}-copy`, { recursive: true, force: true }));
  await using restarted = await LmdbEngine.open({ ...SYSTEM, directory: `${directory}-copy` });
  t.is(await historyLength(t, restarted), 0);
});
