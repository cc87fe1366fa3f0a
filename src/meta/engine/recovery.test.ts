// What a start makes of what it finds: after a power cut, a kill, and after damage.
import test, { type ExecutionContext } from "ava";
import { EngineMachine } from "../../testing/engine/engine-machine.ts";
import { commitNumbered, historyLength } from "../../testing/engine/engine-history.ts";
import { deferred } from "../../platform/flow/deferred.ts";
import { present } from "../../testing/present.ts";
import { seededRandom } from "../../testing/seeded-random.ts";
import { storesOn } from "../../testing/store/disk-store.ts";
import type { LmdbEngine } from "./lmdb-engine.ts";

const WHAT_TO_DO = /dfs meta restore.*dfs meta --accept-loss/;
const PREFERRED_SAMPLES = 400;

const SEED = Number(process.env["DFS_SEED"] ?? Date.now() % 1e9);

/** 20 durable commits, then 10 that nobody waited for, over journals of so many bytes. */
async function historyOn(machine: EngineMachine, checkpointBytes = 1e6): Promise<LmdbEngine> {
  const engine = await machine.open({ checkpointBytes });
  for (let index = 0; index < 20; index += 1) await commitNumbered(engine, index);
  await engine.flush();
  for (let index = 20; index < 30; index += 1) await commitNumbered(engine, index);
  return engine;
}

/** Opens a damaged store. Returns its length, or undefined when it was refused and left alone. */
async function lengthAfter(
  t: ExecutionContext,
  machine: EngineMachine,
): Promise<number | undefined> {
  const before = machine.content();
  try {
    await using engine = await machine.open();
    return await historyLength(t, engine);
  } catch (error) {
    t.like(error, { code: "EIO" });
    t.deepEqual(machine.content(), before);
    return undefined;
  }
}

test("history that breaks below what was durable is refused, with what to do", async (t) => {
  const machine = new EngineMachine();
  await historyOn(machine);
  machine.kill();
  const [journal] = machine.journals;
  machine.disk.spoil(present(journal), 1000, 4);
  const before = machine.content();
  const error = await t.throwsAsync(machine.open(), { code: "EIO", message: WHAT_TO_DO });
  t.regex(present(error).message, /journal-1 is broken at byte \d+\..* up to change 1\d,/);
  t.deepEqual(machine.content(), before, "nothing was changed");
  await t.throwsAsync(machine.open(), { code: "EIO", message: WHAT_TO_DO });
});

test("any flipped bit of a journal is refused, or loses nothing that was durable", async (t) => {
  t.log(`DFS_SEED=${SEED}`);
  const random = seededRandom(SEED);
  for (const checkpointBytes of [1e6, 700]) {
    const machine = new EngineMachine();
    await historyOn(machine, checkpointBytes);
    machine.kill();
    const outcomes = new Set<number | undefined>();
    for (const path of machine.journals) {
      const sizeBytes = present(machine.disk.factsSync(path)).sizeBytes;
      const step = Math.max(1, Math.floor((sizeBytes * 8) / PREFERRED_SAMPLES));
      for (let bit = random.below(step); bit < sizeBytes * 8; bit += step) {
        const copy = machine.copy();
        copy.disk.spoil(path, bit >>> 3, 1 << (bit & 7));
        const length = await lengthAfter(t, copy);
        t.true(length === undefined || length >= 20, `${path}, bit ${bit}: ${length} commits left`);
        outcomes.add(length);
      }
    }
    t.true(outcomes.has(undefined) && outcomes.has(25));
  }
});

test("a journal cut short anywhere is refused, or has what was durable for a second", async (t) => {
  const machine = new EngineMachine();
  const engine = await machine.open();
  for (let index = 0; index < 20; index += 1) await commitNumbered(engine, index);
  await machine.settle();
  for (let index = 20; index < 30; index += 1) await commitNumbered(engine, index);
  machine.kill();
  const [journal, spare] = machine.journals.map(present);
  const sizeBytes = present(machine.disk.factsSync(present(journal))).sizeBytes;
  const outcomes = new Set<number | undefined>();
  for (let end = 0; end <= sizeBytes; end += 1) {
    const copy = machine.copy();
    copy.truncate(present(journal), end);
    const length = await lengthAfter(t, copy);
    t.true(length === undefined || length >= 20, `cut at ${end}: ${length} commits left`);
    outcomes.add(length);
  }
  t.deepEqual([...outcomes], [undefined, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30]);
  for (let end = 0; end < 36; end += 1) {
    const copy = machine.copy();
    copy.truncate(present(spare), end);
    t.is(await lengthAfter(t, copy), undefined);
  }
});

test("a journal that is missing is refused", async (t) => {
  const machine = new EngineMachine();
  await historyOn(machine, 700);
  await machine.settle();
  machine.kill();
  t.true(machine.journals.length >= 2);
  for (const path of machine.journals) {
    const copy = machine.copy();
    copy.disk.removeSync(path);
    await t.throwsAsync(copy.open(), { code: "EIO", message: /journal-\d+ is missing/ });
    t.is(await lengthAfter(t, copy), undefined);
  }
});

test("journals without their database are refused, and stay", async (t) => {
  const machine = new EngineMachine();
  await historyOn(machine);
  machine.kill();
  const { journals } = machine;
  machine.disk.removeSync(`${machine.directory}/data.mdb`);
  for (const acceptLoss of [undefined, () => undefined]) {
    const options = acceptLoss === undefined ? {} : { acceptLoss };
    await t.throwsAsync(machine.open(options), { code: "EIO", message: /database .* is missing/ });
    t.deepEqual(machine.journals, journals);
  }
});

test("a journal of another store is refused", async (t) => {
  const [machine, other] = [new EngineMachine(), new EngineMachine()];
  for (const each of [machine, other]) {
    await historyOn(each);
    each.kill();
  }
  const [journal] = machine.journals;
  const foreign = other.disk.readWholeSync(present(journal));
  machine.truncate(present(journal), 0);
  machine.disk.reopenSync(present(journal)).writeSync(foreign, 0, 0);
  await t.throwsAsync(machine.open(), { code: "EIO", message: /journal-1 is another store's/ });
});

test("a store that is told to accept its loss goes on from where it is whole", async (t) => {
  const machine = new EngineMachine();
  const { incarnations } = await historyOn(machine);
  machine.kill();
  const [journal] = machine.journals;
  const broken = machine.disk.readWholeSync(present(journal));
  broken[1000] = present(broken[1000]) ^ 4;
  machine.disk.spoil(present(journal), 1000, 4);
  const engine = await machine.open({
    acceptLoss: (tx) => tx.put(Buffer.from("\xff marked", "latin1"), Buffer.from(`${tx.position}`)),
  });
  const length = await historyLength(t, engine);
  t.true(length > 0 && length < 20);
  t.deepEqual([engine.position, engine.durablePosition], [length + 1, length + 1]);
  t.is(engine.incarnations.length, 2);
  t.deepEqual(engine.incarnations.slice(0, 1), incarnations);
  t.is(present(engine.incarnations[1]).beganAt, length);
  await commitNumbered(engine, length, true);
  machine.cut();
  await using again = await machine.open();
  t.is(await historyLength(t, again), length + 1);
  const marked = again.read((tx) => tx.get(Buffer.from("\xff marked", "latin1")));
  t.is(Buffer.from(present(marked)).toString(), String(length + 1));
  const kept = machine.disk.paths.filter((path) => path.includes("/lost-"));
  t.deepEqual(
    kept.map((path) => path.replace(/.*\//, "")),
    ["journal-1", "journal-2"],
  );
  t.deepEqual(machine.disk.readWholeSync(present(kept[0])), broken);
});

test("accepting a loss changes nothing in a store that has lost none", async (t) => {
  const machine = new EngineMachine();
  await historyOn(machine);
  machine.cut(seededRandom(1));
  await using engine = await machine.open({ acceptLoss: () => t.fail() });
  t.true((await historyLength(t, engine)) >= 20);
});

test("a power cut at any moment leaves all that was durable, and no mixture", async (t) => {
  t.log(`DFS_SEED=${SEED}`);
  const random = seededRandom(SEED);
  for (let history = 0; history < 40; history += 1) {
    const machine = new EngineMachine();
    const options = { checkpointBytes: random.pick([400, 2000, 1e6]) };
    let [length, durable] = [0, 0];
    for (let start = 0; start < 4; start += 1) {
      const engine = await machine.open(options);
      const found = await historyLength(t, engine);
      t.true(found >= durable && found <= length, `${durable} <= ${found} <= ${length}`);
      t.deepEqual([engine.position, engine.durablePosition], [found, found]);
      t.is(present(engine.incarnations.at(-1)).beganAt, start === 0 ? 0 : found);
      [length, durable] = [found, found];
      for (let left = random.below(60); left > 0; left -= 1) {
        const kind = random.weighted({ commit: 8, durable: 1, settle: 1 });
        if (kind === "settle") await machine.settle();
        else {
          await commitNumbered(engine, length, kind === "durable");
          length += 1;
        }
        if (kind !== "commit") durable = length;
        t.true(engine.durablePosition >= durable && engine.durablePosition <= length);
      }
      // Commits under way when it happens.
      for (let left = random.below(5); left > 0; left -= 1) {
        void commitNumbered(engine, length, random.chance(0.5)).catch(() => undefined);
        length += 1;
      }
      for (let turns = random.below(4); turns > 0; turns -= 1) await new Promise(setImmediate);
      machine.cut(random);
    }
  }
});

test("a power cut at any step of a start or an end leaves all that was durable", async (t) => {
  t.log(`DFS_SEED=${SEED}`);
  const random = seededRandom(SEED);
  const first = new EngineMachine();
  await historyOn(first, 700);
  first.kill();
  let [step, cuts] = [0, 0];
  for (let ended = false; !ended; step += 1) {
    const machine = first.copy();
    let [left, durable] = [step, 20];
    const cut = deferred<string>();
    const pause = (): Promise<void> => {
      if (left === 0) {
        machine.cut(random.chance(0.5) ? random : undefined);
        cut.resolve("cut");
      }
      left -= 1;
      return left < 0 ? new Promise(() => undefined) : Promise.resolve();
    };
    const life = async (): Promise<string> => {
      const engine = await machine.open({ checkpointBytes: 700 }, { pause });
      for (let index = await historyLength(t, engine); index < 45; index += 1) {
        await commitNumbered(engine, index, index % 2 === 0);
        if (index % 2 === 0) durable = index + 1;
      }
      await engine.close();
      return "ended";
    };
    ended = (await Promise.race([life(), cut.promise])) === "ended";
    if (!ended) cuts += 1;
    await using again = await machine.open();
    const length = await historyLength(t, again);
    t.true(length >= (ended ? 45 : durable), `step ${step}: ${length} of ${durable} are left`);
    t.is(again.position, length);
  }
  t.true(cuts > 50, `${cuts} steps`);
});

test("a commit is on disk within a second, whoever waits for it", async (t) => {
  const machine = new EngineMachine();
  const engine = await machine.open();
  for (let index = 0; index < 3; index += 1) {
    await commitNumbered(engine, index);
    t.is(engine.durablePosition, index);
    await machine.clock.advance(1000);
    t.is(engine.durablePosition, index + 1);
  }
  machine.cut();
  await using again = await machine.open();
  t.is(await historyLength(t, again), 3);
});

test("a start after an orderly end keeps its incarnation, any other begins one", async (t) => {
  const machine = new EngineMachine();
  const first = await machine.open();
  await commitNumbered(first, 0);
  await first.close();
  const second = await machine.open();
  t.deepEqual(second.incarnations, first.incarnations);
  t.is(second.position, 1);
  await commitNumbered(second, 1);
  machine.kill();
  const third = await machine.open();
  t.deepEqual(third.incarnations.slice(0, 1), first.incarnations);
  t.is(third.incarnations.length, 2);
  t.is(present(third.incarnations[1]).beganAt, 2);
  // It did nothing, but nobody knows that afterwards.
  machine.kill();
  await (await machine.open()).close();
  const last = await machine.open();
  t.is(last.incarnations.length, 3);
  for (let start = 0; start < 70; start += 1) {
    machine.kill();
    await machine.open();
  }
  machine.kill();
  await using many = await machine.open();
  t.is(many.incarnations.length, 64);
});

test("a store continues another one's history, in an empty directory alone", async (t) => {
  const machine = new EngineMachine();
  const continues = { position: 1000, incarnations: [{ id: "before", beganAt: 7 }] };
  const engine = await machine.open({ continues });
  t.deepEqual(
    engine.incarnations.map(({ beganAt }) => beganAt),
    [7, 1000],
  );
  t.is(engine.incarnations[0]?.id, "before");
  t.is(
    await engine.transact((tx) => (tx.put(Buffer.from("a"), Buffer.from("b")), tx.position)),
    1001,
  );
  await engine.close();
  await t.throwsAsync(machine.open({ continues }), { code: "EEXIST" });
  await using again = await machine.open();
  t.is(again.position, 1001);
});

test("reads don't see what waits for space on a full disk, and then they do", async (t) => {
  const machine = new EngineMachine();
  let full = false;
  const engine = await machine.open(
    { checkpointBytes: 700 },
    {
      fault: ({ what, path }) =>
        full && what === "write" && path.includes("journal") ? "ENOSPC" : undefined,
    },
  );
  for (let index = 0; index < 12; index += 1) await commitNumbered(engine, index);
  full = true;
  const waiting = [12, 13, 14].map((index) => commitNumbered(engine, index));
  for (let retry = 0; retry < 3; retry += 1) {
    await machine.clock.advance(250);
    t.is(await historyLength(t, engine), 12);
    t.is(engine.position, 12);
  }
  full = false;
  await machine.clock.advance(250);
  await Promise.all(waiting);
  t.is(await historyLength(t, engine), 15);
  t.is(engine.position, 15);
  await engine.close();
});

test("what is closed while it waits for space fails, and isn't there afterwards", async (t) => {
  const machine = new EngineMachine();
  let full = false;
  const engine = await machine.open(
    {},
    { fault: ({ what }) => (full && what === "write" ? "ENOSPC" : undefined) },
  );
  await commitNumbered(engine, 0);
  full = true;
  const waiting = commitNumbered(engine, 1);
  const refused = t.throwsAsync(waiting, { code: "EIO" });
  await machine.clock.advance(250);
  const closed = engine.close();
  await machine.clock.advance(250);
  await refused;
  await closed;
  full = false;
  await using again = await machine.open();
  t.is(await historyLength(t, again), 1);
});

test("a store of format 1 is refused with what to do", async (t) => {
  const head = Buffer.alloc(16);
  head.write("DFSJ");
  head[4] = 1;
  head.writeBigUInt64LE(1n, 8);
  const machine = new EngineMachine();
  machine.disk.makeDirectorySync(machine.directory);
  machine.disk.openSync(`${machine.directory}/journal-1`, "create").writeSync(head, 0, 0);
  const message = /has format 1,.* copy the files off with the version that wrote it/;
  await t.throwsAsync(machine.open(), { code: "EIO", message });
  const store = storesOn(machine.disk)({
    directory: machine.directory,
    what: "the store",
    syncEachCommit: true,
  });
  await store.write((batch) => batch.put(store.table("engine"), Buffer.from("applied"), head));
  await store.close();
  machine.disk.removeSync(`${machine.directory}/journal-1`);
  await t.throwsAsync(machine.open(), { code: "EIO", message });
});
