// What every OrderedStore promises.
import test, { type ExecutionContext } from "ava";
import type { OrderedStore, StoreRange, StoreTable } from "../../platform/store/ordered-store.ts";

const KEYS = ["00", "01", "01ff", "02", "7f", "80", "ff", "ff00"];

function bytes(hex: string): Buffer {
  return Buffer.from(hex, "hex");
}

async function filled(store: OrderedStore): Promise<StoreTable> {
  const table = store.table("some");
  await store.write((batch) => {
    for (const key of KEYS.toReversed()) batch.put(table, bytes(key), bytes(`aa${key}`));
  });
  return table;
}

export function orderedStoreConformance(
  name: string,
  open: (t: ExecutionContext) => Promise<OrderedStore>,
): void {
  const promise = (
    title: string,
    check: (t: ExecutionContext, store: OrderedStore) => Promise<void>,
  ): void => {
    test(`${name}: ${title}`, async (t) => {
      const store = await open(t);
      await check(t, store);
      await store.close();
    });
  };

  promise("what a write has put is read back, what it removed is gone", async (t, store) => {
    const table = await filled(store);
    t.deepEqual(table.get(bytes("01ff")), bytes("aa01ff"));
    const peeked = table.peek(bytes("80"));
    t.is(peeked?.toString("hex", 0, peeked.length), "aa80");
    t.is(table.get(bytes("03")), undefined);
    t.is(table.peek(bytes("03")), undefined);
    await store.write((batch) => {
      batch.remove(table, bytes("80"));
      batch.remove(table, bytes("03"));
      batch.put(table, bytes("7f"), bytes("bb"));
    });
    t.is(table.get(bytes("80")), undefined);
    t.deepEqual(table.get(bytes("7f")), bytes("bb"));
  });

  promise("within a write the last change of a key counts", async (t, store) => {
    const table = store.table("some");
    await store.write((batch) => {
      batch.put(table, bytes("01"), bytes("aa"));
      batch.remove(table, bytes("01"));
      batch.remove(table, bytes("02"));
      batch.put(table, bytes("02"), bytes("bb"));
    });
    t.is(table.get(bytes("01")), undefined);
    t.deepEqual(table.get(bytes("02")), bytes("bb"));
  });

  promise("tables don't know of each other, and one name is one table", async (t, store) => {
    const table = await filled(store);
    const other = store.table("other");
    t.is(other.get(bytes("01")), undefined);
    await store.write((batch) => {
      batch.put(other, bytes("01"), bytes("cc"));
      batch.remove(table, bytes("02"));
    });
    t.deepEqual(table.get(bytes("01")), bytes("aa01"));
    t.deepEqual(store.table("other").get(bytes("01")), bytes("cc"));
    t.deepEqual([...other.keys({ start: bytes("00") })], [bytes("01")]);
  });

  promise("ranges go by unsigned bytes, either way, with either end left out", async (t, store) => {
    const table = await filled(store);
    const ranges: [StoreRange, string[]][] = [
      [{ start: bytes("00") }, KEYS],
      [{ start: bytes("01"), end: bytes("80") }, ["01", "01ff", "02", "7f"]],
      [{ start: bytes("01"), end: bytes("80"), exclusiveStart: true }, ["01ff", "02", "7f"]],
      [{ start: bytes("01"), end: bytes("80"), limit: 2 }, ["01", "01ff"]],
      [{ start: bytes("01"), end: bytes("80"), reverse: true }, ["7f", "02", "01ff", "01"]],
      [{ start: bytes("01"), end: bytes("80"), reverse: true, limit: 1 }, ["7f"]],
      [{ start: bytes("80"), reverse: true }, ["ff00", "ff", "80"]],
      [{ start: bytes("80"), reverse: true, exclusiveStart: true }, ["ff00", "ff"]],
      [{ start: bytes("0100"), end: bytes("0200") }, ["01ff", "02"]],
      [{ start: bytes("03"), end: bytes("04") }, []],
    ];
    for (const [range, expected] of ranges) {
      const entries = [...table.range(range)];
      t.deepEqual(
        entries.map(({ key }) => key.toString("hex")),
        expected,
      );
      t.deepEqual(
        entries.map(({ value }) => value.toString("hex")),
        expected.map((k) => `aa${k}`),
      );
      t.deepEqual(
        [...table.keys(range)].map((key) => key.toString("hex")),
        expected,
      );
    }
  });

  promise("what was read is a copy of its own", async (t, store) => {
    const table = await filled(store);
    const read = table.get(bytes("01"));
    read?.fill(0);
    t.deepEqual(table.get(bytes("01")), bytes("aa01"));
    t.deepEqual(read, bytes("0000"));
  });

  promise("writes under way at one time are all done, in their order", async (t, store) => {
    const table = store.table("some");
    const writes = Array.from({ length: 50 }, (_, index) =>
      store.write((batch) => {
        batch.put(table, bytes("01"), Buffer.of(index));
        batch.put(table, Buffer.of(2, index), Buffer.of(index));
      }),
    );
    await Promise.all(writes);
    await store.sync();
    t.deepEqual(table.get(bytes("01")), Buffer.of(49));
    t.is([...table.keys({ start: bytes("02") })].length, 50);
  });

  promise("nobody else has it open", async (t, store) => {
    await filled(store);
    t.deepEqual(store.otherUsers(), []);
    t.true(store.reusableBytes() >= 0);
  });
}
