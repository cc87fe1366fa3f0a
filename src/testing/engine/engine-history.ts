// A history of commits that shows afterwards how much of it an engine has, and that it has no
// mixture of old and new.
import type { ExecutionContext } from "ava";
import type { Engine, ReadTransaction } from "../../meta/engine/engine.ts";

const NEWEST = Buffer.from("newest");

export function numbered(index: number): Buffer {
  const key = Buffer.alloc(8);
  key.writeDoubleBE(index);
  return key;
}

/** Commit `index` puts its own key and moves the shared one, so that a mixture shows. */
export async function commitNumbered(
  engine: Engine,
  index: number,
  durable = false,
): Promise<void> {
  await engine.transact(
    (tx) => {
      tx.put(numbered(index), Buffer.from(String(index)));
      tx.put(NEWEST, numbered(index));
      if (index % 3 === 0) tx.delete(numbered(index - 1));
    },
    { durable },
  );
}

/** How many commits the engine has; fails when they are not exactly a beginning of the history. */
export async function historyLength(t: ExecutionContext, engine: Engine): Promise<number> {
  return await engine.read((tx) => lengthIn(t, tx));
}

function lengthIn(t: ExecutionContext, tx: ReadTransaction): number {
  const newest = tx.get(NEWEST);
  const length = newest === undefined ? 0 : Buffer.from(newest).readDoubleBE() + 1;
  const found = [...tx.range({ start: numbered(0), end: numbered(1e15) })].map(({ key }) =>
    Buffer.from(key).readDoubleBE(),
  );
  const expected = Array.from({ length }, (_, index) => index).filter(
    (index) => index % 3 !== 2 || index + 1 >= length,
  );
  t.deepEqual(found, expected);
  return length;
}
