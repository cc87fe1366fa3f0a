// The promises of BlockStore, tested on whatever implements it.
import type { ExecutionContext, TestFn } from "ava";
import fc from "fast-check";
import { isFsError } from "../../domain/errno.ts";
import { BLOCK_BYTES, CELL_BYTES } from "../../domain/format.ts";
import { DEFAULT_POOL, type SliceId } from "../../domain/ids.ts";
import type { BlockRef } from "../../domain/layout.ts";
import type { BlockStore } from "../../stripes/block-store.ts";
import { seedFromEnvironment } from "../engine/engine-conformance.ts";
import { present } from "../present.ts";
import { blockBytes, sameBytes } from "../shard/shard-cluster.ts";
import { violationOf } from "../violation.ts";

/** Opens an empty store with the default pool of 4+2. */
export type OpenBlockStore = () => Promise<BlockStore>;

const ROW_BYTES = 4 * CELL_BYTES;
/** Short blocks, padded ones, and those around the borders of cells, rows and whole blocks. */
const LENGTHS = [
  ...[1, 7, 8, 31, 32, 33, 1000],
  ...[CELL_BYTES - 1, CELL_BYTES, CELL_BYTES + 1, ROW_BYTES - 1, ROW_BYTES, ROW_BYTES + 1],
  ...[5 * CELL_BYTES + 13, 1_000_003, BLOCK_BYTES - 1, BLOCK_BYTES],
];

interface Written {
  ref: BlockRef;
  data: Uint8Array;
}

function blockOf(slice: number, lengthBytes: number, index = 0): Written {
  const ref = { pool: DEFAULT_POOL, slice: slice as SliceId, index, lengthBytes };
  return { ref, data: blockBytes(lengthBytes, slice * 16 + index) };
}

async function put(
  store: BlockStore,
  slice: number,
  lengthBytes: number,
  index = 0,
): Promise<Written> {
  const block = blockOf(slice, lengthBytes, index);
  await store.putBlock(block.ref, block.data);
  return block;
}

async function readWhole(store: BlockStore, ref: BlockRef): Promise<Uint8Array> {
  const target = new Uint8Array(ref.lengthBytes);
  await store.readBlock(ref, 0, target);
  return target;
}

async function failsWithEio(t: ExecutionContext, work: Promise<unknown>): Promise<void> {
  const error = await t.throwsAsync(work);
  t.true(isFsError(error, "EIO"), String(error));
}

type Declare = (
  title: string,
  body: (t: ExecutionContext, store: BlockStore) => Promise<void>,
) => void;

/** Adds the suite to a test file; `open` brings an empty store for each test. */
export function testBlockStore(test: TestFn, name: string, open: OpenBlockStore): void {
  const promise: Declare = (title, body) => {
    test(`${name}: ${title}`, async (t) => {
      await using store = await open();
      await body(t, store);
    });
  };
  readPromises(promise);
  writePromises(promise);
  durabilityPromises(promise);
  cancelPromises(promise);
}

function readPromises(promise: Declare): void {
  promise("a block of any length comes back byte for byte", async (t, store) => {
    for (const [at, lengthBytes] of LENGTHS.entries()) {
      const { ref, data } = await put(store, at + 1, lengthBytes);
      t.true(sameBytes(await readWhole(store, ref), data), `${lengthBytes} bytes`);
    }
  });

  promise("any range is read into its place, and nothing beside it changes", async (t, store) => {
    const blocks: Written[] = [];
    for (const [at, lengthBytes] of LENGTHS.entries()) {
      blocks.push(await put(store, at + 1, lengthBytes));
    }
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    const range = fc.tuple(fc.constantFrom(...blocks), share, share);
    await fc.assert(
      fc.asyncProperty(range, async ([{ ref, data }, one, other]) => {
        const [from, to] = [Math.min(one, other), Math.max(one, other)];
        const begin = Math.floor(from * ref.lengthBytes);
        await readsRange(t, store, { ref, data }, begin, Math.ceil(to * ref.lengthBytes));
      }),
      { numRuns: 60, ...seedFromEnvironment() },
    );
  });

  promise(
    "ranges that begin and end at borders of cells and shards are right",
    async (t, store) => {
      const block = await put(store, 1, 9 * CELL_BYTES + 11);
      const shardBytes = Math.ceil(block.ref.lengthBytes / 4 / 8) * 8;
      const borders = [0, CELL_BYTES, shardBytes, shardBytes + CELL_BYTES, 3 * shardBytes];
      const places = [...borders, block.ref.lengthBytes]
        .flatMap((border) => [border - 1, border, border + 1])
        .filter((place) => place >= 0 && place <= block.ref.lengthBytes);
      for (const begin of places) {
        for (const end of places) if (begin < end) await readsRange(t, store, block, begin, end);
      }
    },
  );

  promise("a block that nobody put is EIO, not zeroes", async (t, store) => {
    await put(store, 1, 1000);
    await failsWithEio(t, readWhole(store, blockOf(2, 1000).ref));
    await failsWithEio(t, readWhole(store, blockOf(1, 1000, 1).ref));
    const part = new Uint8Array(10);
    await failsWithEio(t, store.readBlock(blockOf(2, 1000).ref, 500, part));
  });

  promise("a range that isn't in the block is refused", async (t, store) => {
    const { ref } = await put(store, 1, 1000);
    for (const [offset, length] of [
      [-1, 10],
      [991, 10],
      [1000, 1],
      [0, 1001],
    ] as const) {
      await t.throwsAsync(store.readBlock(ref, offset, new Uint8Array(length)), undefined);
    }
  });
}

/** Reads [begin, end) into the middle of a buffer and looks at all of it. */
async function readsRange(
  t: ExecutionContext,
  store: BlockStore,
  { ref, data }: Written,
  begin: number,
  end: number,
): Promise<void> {
  const around = new Uint8Array(end - begin + 16).fill(0xee);
  await store.readBlock(ref, begin, around.subarray(8, 8 + end - begin));
  const expected = new Uint8Array(around.length).fill(0xee);
  expected.set(data.subarray(begin, end), 8);
  t.true(sameBytes(around, expected), `${begin} to ${end} of ${ref.lengthBytes} bytes`);
}

function writePromises(promise: Declare): void {
  promise("the blocks of a slice, and many put at once, stay apart", async (t, store) => {
    const blocks = Array.from({ length: 24 }, (_, at) => blockOf(1 + (at >> 2), 5000 + at, at & 3));
    await Promise.all(blocks.map(({ ref, data }) => store.putBlock(ref, data)));
    const read = await Promise.all(blocks.map(({ ref }) => readWhole(store, ref)));
    for (const [at, { data }] of blocks.entries()) t.true(sameBytes(present(read[at]), data));
  });

  promise("what is done with the caller's buffer after a put changes nothing", async (t, store) => {
    for (const lengthBytes of [1000, ROW_BYTES]) {
      const { ref, data } = blockOf(lengthBytes, lengthBytes);
      const buffer = data.slice();
      await store.putBlock(ref, buffer);
      buffer.fill(0);
      t.true(sameBytes(await readWhole(store, ref), data));
    }
  });

  promise("putting the same bytes again is no error", async (t, store) => {
    const { ref, data } = await put(store, 1, 70_000);
    await store.putBlock(ref, data);
    await Promise.all([store.putBlock(ref, data), store.putBlock(ref, data)]);
    t.true(sameBytes(await readWhole(store, ref), data));
  });

  promise("other bytes under a block's name are refused, the first stay", async (t, store) => {
    const { ref, data } = await put(store, 1, 70_000);
    await t.throwsAsync(store.putBlock(ref, blockBytes(70_000, 99)), undefined);
    t.true(sameBytes(await readWhole(store, ref), data));
  });

  promise("data of another length than the reference says ends the process", async (t, store) => {
    const { ref, data } = blockOf(1, 1000);
    const violation = await violationOf(() => store.putBlock(ref, data.subarray(1)));
    t.is(violation.details["lengthBytes"], 1000);
    await failsWithEio(t, readWhole(store, ref));
  });
}

function durabilityPromises(promise: Declare): void {
  promise("blocks that stand are made durable, none, some and again", async (t, store) => {
    const refs: BlockRef[] = [];
    for (let slice = 1; slice <= 5; slice++) refs.push((await put(store, slice, 3000)).ref);
    await store.syncBlocks([]);
    await store.syncBlocks(refs.slice(0, 2));
    await store.syncBlocks(refs);
    await store.syncBlocks(refs);
    t.true(sameBytes(await readWhole(store, present(refs[4])), blockOf(5, 3000).data));
  });

  promise("a block that nobody has can't be made durable", async (t, store) => {
    const { ref } = await put(store, 1, 1000);
    await failsWithEio(t, store.syncBlocks([ref, blockOf(2, 1000).ref]));
  });
}

function cancelPromises(promise: Declare): void {
  promise(
    "a signal that has ended before the call ends it, and nothing is done",
    async (t, store) => {
      const reason = new Error("the caller has left");
      const gone = AbortSignal.abort(reason);
      const { ref, data } = await put(store, 1, 3000);
      const later = blockOf(2, 3000);
      t.is(await t.throwsAsync(store.putBlock(later.ref, later.data, gone)), reason);
      await failsWithEio(t, readWhole(store, later.ref));
      const target = new Uint8Array(3000);
      t.is(await t.throwsAsync(store.readBlock(ref, 0, target, gone)), reason);
      t.is(await t.throwsAsync(store.syncBlocks([ref], gone)), reason);
      t.true(sameBytes(await readWhole(store, ref), data));
    },
  );
}
