// What flushes of the journal cost: how many there are, and whether they change the file's size.
import test from "ava";
import { EngineMachine } from "../../testing/engine/engine-machine.ts";
import { commitNumbered, historyLength, numbered } from "../../testing/engine/engine-history.ts";
import type { DiskCall, DiskHooks } from "../../testing/disk/memory-disk.ts";
import { deferred } from "../../platform/flow/deferred.ts";
import { present } from "../../testing/present.ts";

/** Counts flushes of journals; they wait for `held`. */
class Flushes implements DiskHooks {
  readonly #machine: EngineMachine;
  readonly #sizes: number[] = [];
  held: Promise<void> | undefined;

  constructor(machine: EngineMachine) {
    this.#machine = machine;
  }

  readonly pause = ({ what, path }: DiskCall, when: "before" | "after") => {
    if (what !== "datasync" || !path.includes("/journal-") || when === "after") return undefined;
    this.#sizes.push(present(this.#machine.disk.factsSync(path)).sizeBytes);
    return this.held;
  };

  /** Since the last time it was asked. */
  take(): { count: number; sizes: number } {
    const taken = this.#sizes.splice(0);
    return { count: taken.length, sizes: new Set(taken).size };
  }
}

async function opened() {
  const machine = new EngineMachine();
  const flushes = new Flushes(machine);
  const engine = await machine.open({}, flushes);
  flushes.take();
  return { machine, flushes, engine };
}

test("those who wait for the disk together share one flush", async (t) => {
  const { engine, flushes } = await opened();
  await commitNumbered(engine, 0, true);
  t.is(flushes.take().count, 1);
  await Promise.all(Array.from({ length: 50 }, (_, at) => commitNumbered(engine, 1 + at, true)));
  t.is(flushes.take().count, 1);
});

test("a flush under way is waited for by all that it covers, and by nobody else", async (t) => {
  const { machine, engine, flushes } = await opened();
  const held = deferred();
  flushes.held = held.promise;
  const first = commitNumbered(engine, 0, true);
  await engine.transact(() => undefined);
  const covered = [engine.flush(), engine.flush(), machine.clock.advance(500)];
  t.is(flushes.take().count, 1);
  const second = commitNumbered(engine, 1, true);
  flushes.held = undefined;
  held.resolve();
  await Promise.all([first, ...covered, second]);
  t.is(flushes.take().count, 1);
  machine.cut();
  await using again = await machine.open();
  t.is(await historyLength(t, again), 2);
});

test("few flushes of small commits change the journal's size", async (t) => {
  const { machine, engine, flushes } = await opened();
  const value = Buffer.alloc(4500, 1);
  for (let index = 0; index < 300; index += 1) {
    await engine.transact((tx) => tx.put(numbered(index), value), { durable: true });
  }
  const { count, sizes } = flushes.take();
  t.is(count, 300);
  t.true(sizes <= 20, `${sizes} sizes`);
  machine.cut();
  await using again = await machine.open();
  t.is(again.position, 300);
});

test("no room is made for flushes of so much that it would not last", async (t) => {
  const { machine, engine } = await opened();
  const value = Buffer.alloc(100_000, 1);
  for (let index = 0; index < 5; index += 1) {
    await engine.transact((tx) => tx.put(numbered(index), value), { durable: true });
  }
  const { sizeBytes } = present(machine.disk.factsSync(present(machine.journals[0])));
  t.true(sizeBytes < 501_000, `${sizeBytes} bytes`);
});

test("room behind the last record isn't damage, zeroes instead of it are", async (t) => {
  const { machine, engine } = await opened();
  for (let index = 0; index < 5; index += 1) await commitNumbered(engine, index, true);
  await machine.settle();
  machine.kill();
  const [path] = machine.journals.map(present);
  const bytes = machine.disk.readWholeSync(present(path));
  t.is(bytes.at(-1), 0);
  const lost = machine.copy();
  const last = bytes.lastIndexOf(bytes.subarray(32, 36));
  for (let at = last; at < bytes.length; at += 1) {
    lost.disk.spoil(present(path), at, present(bytes[at]));
  }
  await t.throwsAsync(lost.open(), { code: "EIO", message: /its journals end early/ });
  await using again = await machine.open();
  t.is(await historyLength(t, again), 5);
});
