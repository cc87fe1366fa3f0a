// The promises of Engine as tests; every implementation runs them all.
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import { FsError } from "../../domain/errno.ts";
import type {
  Engine,
  RangeOptions,
  ReadTransaction,
  Transaction,
} from "../../meta/engine/engine.ts";

/** Opens an empty engine and sees to it that everything is removed after the test. */
export type OpenEngine = (t: ExecutionContext) => Promise<Engine>;

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");
const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString("latin1");

function pairs(tx: ReadTransaction, options: Partial<RangeOptions> = {}): string[] {
  const found: string[] = [];
  const range = { start: bytes("a"), end: bytes("~"), ...options };
  for (const { key, value } of tx.range(range)) found.push(`${text(key)}=${text(value)}`);
  return found;
}

async function putAll(engine: Engine, ...keys: string[]): Promise<void> {
  await engine.transact((tx) => {
    for (const key of keys) tx.put(bytes(key), bytes(key.toUpperCase()));
  });
}

export function engineConformance(name: string, open: OpenEngine): void {
  transactionTests(name, open);
  rangeTests(name, open);
  positionTests(name, open);
  test(`${name}: behaves like a sorted map under random transactions`, async (t) => {
    await fc.assert(
      fc.asyncProperty(histories(), (history) => replay(t, open, history)),
      {
        numRuns: 60,
        ...seedFromEnvironment(),
      },
    );
    t.pass();
  });
}

function transactionTests(name: string, open: OpenEngine): void {
  test(`${name}: a committed value is read back, a deleted one is gone`, async (t) => {
    await using engine = await open(t);
    await putAll(engine, "a", "b");
    t.is(await engine.read((tx) => text(tx.get(bytes("a")))), "A");
    await engine.transact((tx) => {
      tx.delete(bytes("a"));
      tx.delete(bytes("never there"));
    });
    const found = await engine.read((tx) => ["a", "b", "c"].map((key) => tx.get(bytes(key))));
    t.deepEqual(found.map(text), [undefined, "B", undefined]);
  });

  test(`${name}: a transaction sees its own writes, in gets and in ranges`, async (t) => {
    await using engine = await open(t);
    await putAll(engine, "a", "c", "e");
    const seen = await engine.transact((tx) => {
      tx.put(bytes("b"), bytes("new"));
      tx.delete(bytes("c"));
      tx.put(bytes("e"), bytes("changed"));
      return [text(tx.get(bytes("b"))), text(tx.get(bytes("c"))), ...pairs(tx)];
    });
    t.deepEqual(seen, ["new", undefined, "a=A", "b=new", "e=changed"]);
  });

  test(`${name}: a callback that throws leaves nothing and harms no other`, async (t) => {
    await using engine = await open(t);
    const refusal = new FsError("EEXIST", "no");
    const outcomes = await Promise.allSettled([
      engine.transact((tx) => tx.put(bytes("before"), bytes("1"))),
      engine.transact((tx) => {
        tx.put(bytes("failed"), bytes("x"));
        tx.delete(bytes("before"));
        throw refusal;
      }),
      engine.transact(() => {
        throw refusal;
      }),
      engine.transact((tx) => tx.put(bytes("behind"), bytes("2"))),
    ]);
    t.deepEqual(
      outcomes.map(({ status }) => status),
      ["fulfilled", "rejected", "rejected", "fulfilled"],
    );
    t.deepEqual(await engine.read((tx) => pairs(tx)), ["before=1", "behind=2"]);
  });

  test(`${name}: transactions begun together run in order, one after the other`, async (t) => {
    await using engine = await open(t);
    await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        engine.transact((tx) => {
          const count = Number(text(tx.get(bytes("count"))) ?? "0");
          t.is(count, index);
          tx.put(bytes("count"), bytes(String(count + 1)));
        }),
      ),
    );
    t.is(await engine.read((tx) => text(tx.get(bytes("count")))), "200");
  });

  test(`${name}: an acknowledged commit is in every later read`, async (t) => {
    await using engine = await open(t);
    for (let round = 0; round < 50; round += 1) {
      const value = String(round);
      await engine.transact((tx) => tx.put(bytes("round"), bytes(value)), {
        durable: round % 10 === 0,
      });
      t.is(await engine.read((tx) => text(tx.get(bytes("round")))), value);
      t.deepEqual(await engine.read((tx) => pairs(tx)), [`round=${value}`]);
    }
    await engine.flush();
  });

  test(`${name}: values of every size come back whole`, async (t) => {
    await using engine = await open(t);
    const sizes = [0, 1, 4095, 4096, 65_536, 1_000_000];
    await engine.transact((tx) => {
      for (const size of sizes) tx.put(bytes(`size ${size}`), Buffer.alloc(size, size % 251));
    });
    for (const size of sizes) {
      const value = await engine.read((tx) => tx.get(bytes(`size ${size}`)));
      t.true(value !== undefined && Buffer.alloc(size, size % 251).equals(value));
    }
  });

  test(`${name}: a closed engine refuses work`, async (t) => {
    const engine = await open(t);
    await engine.close();
    await t.throwsAsync(engine.transact((tx) => tx.put(bytes("a"), bytes("b"))));
    await t.throwsAsync(async () => engine.read((tx) => tx.get(bytes("a"))));
  });
}

function rangeTests(name: string, open: OpenEngine): void {
  test(`${name}: a range has its start, not its end, in unsigned byte order`, async (t) => {
    await using engine = await open(t);
    await engine.transact((tx) => {
      for (const key of ["b", "b\x00", "b\xff", "a\xff", "c", "ba"]) tx.put(bytes(key), bytes(""));
    });
    const keysOf = (options: Partial<RangeOptions>): Promise<string[]> =>
      Promise.resolve(engine.read((tx) => pairs(tx, options).map((pair) => pair.slice(0, -1))));
    const range = { start: bytes("b"), end: bytes("c") };
    t.deepEqual(await keysOf(range), ["b", "b\x00", "ba", "b\xff"]);
    t.deepEqual(await keysOf({ ...range, reverse: true }), ["b\xff", "ba", "b\x00", "b"]);
    t.deepEqual(await keysOf({ ...range, limit: 2 }), ["b", "b\x00"]);
    t.deepEqual(await keysOf({ ...range, limit: 1, reverse: true }), ["b\xff"]);
    t.deepEqual(await keysOf({ ...range, limit: 0 }), []);
    t.deepEqual(await keysOf({ start: bytes("bb"), end: bytes("b\xf0") }), []);
  });

  test(`${name}: a range that is left early does not spoil the next`, async (t) => {
    await using engine = await open(t);
    await putAll(engine, "a", "b", "c", "d", "e", "f", "g", "h");
    for (let round = 0; round < 20; round += 1) {
      const [first] = await engine.read((tx) => [
        ...take(tx.range({ start: bytes("c"), end: bytes("z") }), 1),
      ]);
      t.is(text(first?.key), "c");
      t.is((await engine.read((tx) => pairs(tx))).length, 8);
    }
  });
}

function positionTests(name: string, open: OpenEngine): void {
  test(`${name}: the position counts what changed something, in a transaction too`, async (t) => {
    await using engine = await open(t);
    t.deepEqual([engine.position, engine.durablePosition], [0, 0]);
    const put = (tx: Transaction): number => {
      tx.put(bytes("a"), bytes("b"));
      return tx.position;
    };
    t.is(await engine.transact(put), 1);
    t.is(engine.position, 1);
    const outcomes = await Promise.allSettled([
      engine.transact(put),
      engine.transact((tx) => tx.position),
      engine.transact((tx) => {
        put(tx);
        throw new FsError("EEXIST", "no");
      }),
      engine.transact((tx) => {
        tx.delete(bytes("never there"));
        return tx.position;
      }),
    ]);
    const positions = outcomes.map((one) => (one.status === "fulfilled" ? one.value : undefined));
    t.deepEqual(positions, [2, 3, undefined, 3]);
    t.is(engine.position, 3);
  });

  test(`${name}: what was flushed, or waited for, is below the durable position`, async (t) => {
    await using engine = await open(t);
    for (let round = 1; round <= 20; round += 1) {
      const durable = round % 2 === 0;
      await engine.transact((tx) => tx.put(bytes("a"), bytes(String(round))), { durable });
      if (!durable) await engine.flush();
      t.deepEqual([engine.position, engine.durablePosition], [round, round]);
    }
  });

  test(`${name}: a store that begins has one incarnation, from the start on`, async (t) => {
    await using engine = await open(t);
    t.deepEqual(
      engine.incarnations.map(({ beganAt }) => beganAt),
      [0],
    );
  });

  test(`${name}: who follows hears of each change as reads begin to see it`, async (t) => {
    await using engine = await open(t);
    await putAll(engine, "before");
    const heard: string[] = [];
    const stop = engine.follow((changes) => {
      const found = [...changes].map(([key, value]) => `${text(key)}=${text(value ?? undefined)}`);
      heard.push(found.join());
    });
    const deleted = engine.transact((tx) => {
      tx.delete(bytes("before"));
      tx.put(bytes("a"), bytes("1"));
    });
    const failed = engine.transact((tx) => {
      tx.put(bytes("b"), bytes("2"));
      throw new FsError("EEXIST", "no");
    });
    await Promise.allSettled([deleted, failed, engine.transact(() => undefined)]);
    await putAll(engine, "c");
    t.deepEqual(heard, ["before=undefined,a=1", "c=C"]);
    stop();
    await putAll(engine, "d");
    t.is(heard.length, 2);
  });
}

function* take<T>(values: Iterable<T>, count: number): Generator<T> {
  let left = count;
  for (const value of values) {
    if (left-- === 0) return;
    yield value;
  }
}

/** One write of a transaction; undefined deletes. */
type Write = [key: string, value: string | undefined];
interface Step {
  writes: Write[];
  throws: boolean;
  /** Does it wait for those before it? */
  waits: boolean;
  range: { from: string; to: string; limit: number | undefined; reverse: boolean };
}

function histories(): fc.Arbitrary<Step[]> {
  const key = fc
    .array(fc.constantFrom("a", "b", "\x00", "\xff", "z"), { minLength: 1, maxLength: 4 })
    .map((letters) => letters.join(""));
  const write: fc.Arbitrary<Write> = fc.tuple(
    key,
    fc.option(fc.string({ maxLength: 8, unit: "binary-ascii" }), { nil: undefined }),
  );
  const range = fc.record({
    from: key,
    to: key,
    limit: fc.option(fc.nat(6), { nil: undefined }),
    reverse: fc.boolean(),
  });
  const throws = fc.nat(4).map((number) => number === 0);
  const step = fc.record({
    writes: fc.array(write, { maxLength: 12 }),
    throws,
    waits: fc.boolean(),
    range,
  });
  return fc.array(step, { maxLength: 25 });
}

async function replay(t: ExecutionContext, open: OpenEngine, history: Step[]): Promise<void> {
  await using engine = await open(t);
  const model = new Map<string, string>();
  const pending: Promise<unknown>[] = [];
  for (const step of history) {
    const done = engine.transact((tx) => {
      const own = new Map(model);
      for (const [key, value] of step.writes) {
        if (value === undefined) tx.delete(bytes(key));
        else tx.put(bytes(key), bytes(value));
        if (value === undefined) own.delete(key);
        else own.set(key, value);
      }
      compare(t, tx, own, step.range);
      if (step.throws) throw new FsError("EINTR", "as the history says");
      model.clear();
      for (const [key, value] of own) model.set(key, value);
    });
    pending.push(done.catch((error: unknown) => error));
    if (step.waits) {
      await done.catch((error: unknown) => error);
      await engine.read((tx) => compare(t, tx, model, step.range));
    }
  }
  for (const outcome of await Promise.all(pending)) {
    if (outcome !== undefined && !(outcome instanceof FsError)) throw outcome as Error;
  }
  await engine.read((tx) =>
    compare(t, tx, model, {
      from: "\x00",
      to: "\xff\xff\xff\xff\xff",
      limit: undefined,
      reverse: false,
    }),
  );
}

function compare(
  t: ExecutionContext,
  tx: ReadTransaction,
  model: ReadonlyMap<string, string>,
  { from, to, limit, reverse }: Step["range"],
): void {
  const expected = [...model]
    .filter(([key]) => key >= from && key < to)
    .sort(([left], [right]) => (left < right ? -1 : 1));
  if (reverse) expected.reverse();
  const options: RangeOptions = { start: bytes(from), end: bytes(to), reverse };
  if (limit !== undefined) options.limit = limit;
  const found = [...tx.range(options)].map(({ key, value }) => [text(key), text(value)]);
  t.deepEqual(found, expected.slice(0, limit));
  t.is(text(tx.get(bytes(from))), model.get(from));
}

/** Replays DFS_SEED where it is set; fast-check prints the seed of a failure. */
export function seedFromEnvironment(): { seed?: number } {
  const seed = process.env["DFS_SEED"];
  return seed === undefined ? {} : { seed: Number(seed) };
}
