// How changes share transactions, by what a store with slow commits is given.
import test from "ava";
import type { StoreBatch } from "../../platform/store/ordered-store.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { MemoryStore } from "../../testing/store/memory-store.ts";
import { IndexWriter } from "./index-writer.ts";
import { INDEX_HOLD_PAUSE, MAX_INDEX_HOLD_MS } from "./limits.ts";

const COMMIT_MS = 10;

/** Counts the changes of each transaction. */
class SlowStore extends MemoryStore {
  readonly sizes: number[] = [];
  readonly begunMs: number[] = [];
  failing = false;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    super();
    this.#clock = clock;
  }

  override async write(fill: (batch: StoreBatch) => void): Promise<void> {
    this.begunMs.push(this.#clock.monotonicMs());
    let size = 0;
    fill({ put: () => size++, remove: () => size++ });
    this.sizes.push(size);
    await this.#clock.sleep(COMMIT_MS);
    if (this.failing) throw new Error("disk full");
  }
}

function makeWorld() {
  const clock = new FakeClock();
  const store = new SlowStore(clock);
  const writer = new IndexWriter(store, clock);
  const table = store.table("some");
  const apply = (): Promise<void> => {
    const write = (batch: StoreBatch): void => batch.put(table, Buffer.of(1), Buffer.of(1));
    return writer.apply({ write, revert: () => undefined });
  };
  /** Makes its next change a millisecond after the last one is committed. */
  const send = async (changes: number): Promise<void> => {
    for (let made = 0; made < changes; made++) {
      await apply();
      await clock.sleep(1);
    }
  };
  return { clock, store, apply, send };
}

/** In steps as small as the senders' pauses. */
async function pass(clock: FakeClock, forMs: number): Promise<void> {
  for (let ms = 0; ms < forMs; ms++) {
    // What came in this turn goes on its way first.
    await clock.advance(0);
    await clock.advance(1);
  }
}

test("senders that wait for each answer come to share one transaction", async (t) => {
  const { clock, store, send } = makeWorld();
  const early = [send(5), send(5), send(5), send(5)];
  await pass(clock, COMMIT_MS / 2);
  const late = [send(4), send(4), send(4), send(4)];
  await pass(clock, 10 * COMMIT_MS);
  await Promise.all([...early, ...late]);
  t.deepEqual(store.sizes, [4, 8, 8, 8, 8]);
});

test("one sender alone is never held back", async (t) => {
  const { clock, store, send } = makeWorld();
  const sent = send(5);
  await pass(clock, 6 * (COMMIT_MS + 1));
  await sent;
  t.deepEqual(store.begunMs, [0, 11, 22, 33, 44]);
});

test("who waits in vain waits 4 ms, and the next transactions wait for nobody", async (t) => {
  const { clock, store, send } = makeWorld();
  const others = [send(1), send(1), send(1)];
  const sent = send(2);
  await pass(clock, 3 * COMMIT_MS);
  await Promise.all([...others, sent]);
  t.deepEqual(store.begunMs, [0, COMMIT_MS + MAX_INDEX_HOLD_MS]);
  store.begunMs.length = 0;
  const begunMs = clock.monotonicMs();
  // Two by turns, so that one waits whenever the other is answered.
  const one = send(INDEX_HOLD_PAUSE / 2);
  await pass(clock, COMMIT_MS / 2);
  const other = send(INDEX_HOLD_PAUSE / 2);
  await pass(clock, INDEX_HOLD_PAUSE * (COMMIT_MS + 1));
  await Promise.all([one, other]);
  t.deepEqual(
    store.begunMs.map((ms) => ms - begunMs),
    Array.from({ length: INDEX_HOLD_PAUSE }, (_, at) => at * COMMIT_MS),
  );
});

test("a transaction that fails takes its own changes with it and no others", async (t) => {
  const { clock, store, apply } = makeWorld();
  store.failing = true;
  const failed = Promise.allSettled([apply(), apply()]);
  await pass(clock, COMMIT_MS + 1);
  const statuses = (await failed).map(({ status }) => status);
  t.deepEqual(statuses, ["rejected", "rejected"]);
  store.failing = false;
  const kept = apply();
  await pass(clock, 2 * COMMIT_MS);
  await kept;
  t.deepEqual(store.sizes, [2, 1]);
});
