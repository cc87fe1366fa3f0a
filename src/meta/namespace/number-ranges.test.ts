import test from "ava";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { ROOT_INO, type Name } from "../../domain/ids.ts";
import { EngineMachine } from "../../testing/engine/engine-machine.ts";
import { TestNamespace } from "../../testing/engine/engine-namespace.ts";
import { MemoryEngine } from "../engine/memory-engine.ts";
import { keysUnder, secondNumber } from "../schema/keys.ts";
import { leapCounters } from "../schema/counters.ts";
import { NUMBERS_PER_RANGE, NUMBERS_WAITED_BELOW } from "./limits.ts";
import { NumberRanges } from "./number-ranges.ts";

const n = (name: string): Name => name as Name;

test("no inode and no entry gets a number that another one had, power cut included", async (t) => {
  const machine = new EngineMachine();
  const given = new Set<number>();
  const give = (number: number): void => {
    t.false(given.has(number), `${number} was given before`);
    given.add(number);
  };
  for (let start = 0; start < 5; start += 1) {
    const fs = await TestNamespace.on(await machine.open());
    const { ino } = await fs.file(`a${start}`);
    give(ino);
    await fs.do((ns, tx) => ns.link(tx, ROOT_CALLER, ino, ROOT_INO, n(`b${start}`)));
    await fs.do((ns, tx) =>
      ns.rename(tx, ROOT_CALLER, ROOT_INO, n(`a${start}`), ROOT_INO, n("c"), 0),
    );
    await fs.see((_ns, tx) => {
      for (const { key } of tx.range(keysUnder(Buffer.from("e")))) {
        const cookie = secondNumber(key);
        if (cookie !== ino) give(cookie);
      }
    });
    t.deepEqual(await fs.broken(), []);
    machine.cut();
  }
});

test("changes wait where the disk is too far behind to reserve more numbers", async (t) => {
  const machine = new EngineMachine();
  let resume: () => void = () => undefined;
  let hung: Promise<void> = Promise.resolve();
  const engine = await machine.open({}, { pause: () => hung });
  const numbers = await NumberRanges.open(engine);
  t.is(numbers.scarce(), undefined);
  hung = new Promise((resolve) => (resume = resolve));
  const first = numbers.take(NUMBERS_PER_RANGE - NUMBERS_WAITED_BELOW);
  t.is(numbers.scarce(), undefined);
  t.is(numbers.take(1), first + NUMBERS_PER_RANGE - NUMBERS_WAITED_BELOW);
  let waited = false;
  const scarce = Promise.resolve(numbers.scarce()).then(() => (waited = true));
  t.not(numbers.scarce(), undefined);
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
  t.false(waited);
  resume();
  await scarce;
  t.is(numbers.scarce(), undefined);
  t.is(numbers.reservedBelow, first, "what earlier starts may have given");
});

test("numbers go on behind a leap of the counters, and none of a take is before it", async (t) => {
  const engine = new MemoryEngine();
  const numbers = await NumberRanges.open(engine);
  await engine.transact(leapCounters);
  const before = numbers.take(1);
  numbers.take(NUMBERS_PER_RANGE - NUMBERS_WAITED_BELOW);
  await numbers.scarce();
  const after = numbers.take(3);
  t.true(after >= before + 2 ** 40);
  t.is(numbers.take(1), after + 3);
});
