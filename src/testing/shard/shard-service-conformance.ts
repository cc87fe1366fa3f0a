// The promises of ShardService, tested on whatever implements it.
import type { ExecutionContext, TestFn } from "ava";
import { CellSeal } from "../../codec/cell-seal.ts";
import { present } from "../present.ts";
import { cellCrcs } from "../../codec/cells.ts";
import { FsError, type ErrnoName } from "../../domain/errno.ts";
import type { PoolId, ShardId, SliceId } from "../../domain/ids.ts";
import { CELL_BYTES, MAX_SHARD_BYTES } from "../../domain/format.ts";
import { TEST_SEAL } from "./test-name.ts";
import { MAX_SHARD_PAGE } from "../../protocol/shard/limits.ts";
import type {
  ShardPayload,
  ShardService,
  ShardVerdict,
} from "../../protocol/shard/shard-service.ts";
import { SECURE_DEPTHS } from "../../protocol/shard/shard-service.ts";

export function shardId(slice: number, fields: Partial<ShardId> = {}): ShardId {
  return { pool: 1 as PoolId, pg: 7, slice: slice as SliceId, index: 0, slot: 0, ...fields };
}

/**
 * A payload whose bytes follow from `seed`; no two cells are alike. Its checksums are plain: what
 * goes to a service is `sealed`.
 */
export function payloadOf(sizeBytes: number, seed = 1): ShardPayload {
  const words = new Uint32Array(sizeBytes / 4);
  for (let at = 0, word = seed; at < words.length; at++) {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0;
    words[at] = word;
  }
  const bytes = new Uint8Array(words.buffer);
  return { bytes, cellCrcs: cellCrcs(bytes) };
}

/** The payload as the shard `id` of TEST_CLUSTER. */
export function sealed(id: ShardId, { bytes, cellCrcs: plain }: ShardPayload): ShardPayload {
  return { bytes, cellCrcs: TEST_SEAL.mask(id, plain) };
}

/** Seals and puts. */
export function putShard(service: ShardService, id: ShardId, plain: ShardPayload): Promise<void> {
  return service.put(id, sealed(id, plain));
}

/** Reads a whole shard, its checksums plain. */
export async function readShard(service: ShardService, id: ShardId): Promise<ShardPayload> {
  const { sizeBytes } = await service.head(id);
  const { bytes, cellCrcs: crcs } = await service.get(id, 0, new Uint8Array(sizeBytes));
  return { bytes, cellCrcs: TEST_SEAL.mask(id, crcs) };
}

/** What the node says of one shard that it reads first. */
export async function verdictOf(
  service: Pick<ShardService, "secure">,
  id: ShardId,
): Promise<ShardVerdict> {
  const [verdict] = await service.secure([id], "every");
  return present(verdict);
}

export async function rejectsWith(
  t: ExecutionContext,
  code: ErrnoName,
  operation: Promise<unknown>,
): Promise<void> {
  const error: unknown = await t.throwsAsync(operation);
  if (error instanceof FsError) t.is(error.code, code, error.message);
  else t.fail(`expected ${code}, got ${String(error)}`);
}

async function holds(
  t: ExecutionContext,
  service: ShardService,
  id: ShardId,
  payload: ShardPayload,
): Promise<void> {
  const read = await readShard(service, id);
  t.is(Buffer.compare(read.bytes, payload.bytes), 0);
  t.deepEqual(read.cellCrcs, payload.cellCrcs);
}

/** A few at a time: an unbounded number of requests would time the machine, not the service. */
async function putAll(
  service: ShardService,
  shards: readonly { id: ShardId; payload: ShardPayload }[],
): Promise<void> {
  for (let at = 0; at < shards.length; at += 32) {
    const some = shards.slice(at, at + 32);
    await Promise.all(some.map(({ id, payload }) => putShard(service, id, payload)));
  }
}

export interface OpenedService {
  service: ShardService;
  close: () => Promise<void>;
}

/** Sizes around the borders: a word, a packed shard's most, one cell more, several, the most. */
const SIZES = [8, CELL_BYTES - 8, CELL_BYTES, CELL_BYTES + 8, 3 * CELL_BYTES + 40, MAX_SHARD_BYTES];

/** Adds the suite to a test file; `open` brings an empty service for each test. */
export function testShardService(
  test: TestFn,
  name: string,
  open: () => Promise<OpenedService>,
): void {
  const promise = (
    title: string,
    body: (t: ExecutionContext, service: ShardService) => Promise<void>,
  ): void => {
    test(`${name}: ${title}`, async (t) => {
      const { service, close } = await open();
      try {
        await body(t, service);
      } finally {
        await close();
      }
    });
  };

  promise("what was put is read back with its checksums, whatever its size", async (t, service) => {
    for (const size of SIZES) {
      const payload = payloadOf(size, size);
      await putShard(service, shardId(size), payload);
      await holds(t, service, shardId(size), payload);
    }
  });

  promise("any run of whole cells is read on its own into the target given", async (t, service) => {
    const payload = payloadOf(4 * CELL_BYTES + 16);
    await putShard(service, shardId(1), payload);
    for (const [from, to] of [
      [0, 1],
      [1, 3],
      [3, 4],
      [4, 5],
      [2, 9],
    ] as const) {
      const target = new Uint8Array((to - from) * CELL_BYTES);
      const slab = await service.get(shardId(1), from * CELL_BYTES, target);
      const expected = payload.bytes.subarray(from * CELL_BYTES, to * CELL_BYTES);
      t.is(slab.sizeBytes, payload.bytes.length);
      t.is(slab.bytes.buffer, target.buffer);
      t.is(Buffer.compare(slab.bytes, expected), 0);
      t.deepEqual(slab.cellCrcs, sealed(shardId(1), payload).cellCrcs.slice(from, to));
    }
    const tail = new Uint8Array(16);
    t.is((await service.get(shardId(1), 4 * CELL_BYTES, tail)).bytes.length, 16);
  });

  promise("a range that isn't whole cells is EINVAL", async (t, service) => {
    await putShard(service, shardId(1), payloadOf(3 * CELL_BYTES));
    const target = new Uint8Array(CELL_BYTES);
    await rejectsWith(t, "EINVAL", service.get(shardId(1), 8, target));
    await rejectsWith(t, "EINVAL", service.get(shardId(1), 0, target.subarray(8)));
    await rejectsWith(t, "EINVAL", service.get(shardId(1), 4 * CELL_BYTES, target));
  });

  promise("putting the same bytes again is no error", async (t, service) => {
    for (const size of [64, 2 * CELL_BYTES]) {
      await putShard(service, shardId(size), payloadOf(size));
      await putShard(service, shardId(size), payloadOf(size));
      await holds(t, service, shardId(size), payloadOf(size));
    }
    t.is((await service.stats()).shards, 2);
  });

  promise("other bytes under a known id are EEXIST and change nothing", async (t, service) => {
    for (const size of [64, 2 * CELL_BYTES]) {
      await putShard(service, shardId(size), payloadOf(size));
      await rejectsWith(t, "EEXIST", putShard(service, shardId(size), payloadOf(size, 2)));
      await rejectsWith(t, "EEXIST", putShard(service, shardId(size), payloadOf(size + 8)));
      await holds(t, service, shardId(size), payloadOf(size));
    }
  });

  promise(
    "of many who put one id at once, all same bytes, everyone succeeds",
    async (t, service) => {
      const payload = payloadOf(3 * CELL_BYTES);
      await Promise.all(Array.from({ length: 8 }, () => putShard(service, shardId(1), payload)));
      await holds(t, service, shardId(1), payload);
      t.deepEqual([(await service.stats()).shards], [1]);
    },
  );

  promise("of many who put different bytes under one id, one wins whole", async (t, service) => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 6 }, (_, i) =>
        putShard(service, shardId(1), payloadOf(2 * CELL_BYTES, i)),
      ),
    );
    const won = outcomes.findIndex(({ status }) => status === "fulfilled");
    t.is(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
    await holds(t, service, shardId(1), payloadOf(2 * CELL_BYTES, won));
  });

  promise("bytes that don't match their checksums are EBADMSG and not kept", async (t, service) => {
    for (const size of [64, 3 * CELL_BYTES]) {
      const payload = payloadOf(size);
      payload.cellCrcs[payload.cellCrcs.length - 1] = 1;
      await rejectsWith(t, "EBADMSG", putShard(service, shardId(1), payload));
      await rejectsWith(t, "ENOENT", service.head(shardId(1)));
    }
    await putShard(service, shardId(1), payloadOf(64));
  });

  promise("right bytes sealed for another place are EBADMSG and not kept", async (t, service) => {
    for (const size of [64, 3 * CELL_BYTES]) {
      const payload = payloadOf(size);
      const places = [shardId(2), shardId(1, { index: 1 }), shardId(1, { slot: 1 })];
      const elsewhere = places.map((id) => sealed(id, payload));
      const foreign = new CellSeal("cluster-2").mask(shardId(1), payload.cellCrcs);
      const plain = payload.cellCrcs;
      for (const { bytes, cellCrcs: crcs } of [
        ...elsewhere,
        { ...payload, cellCrcs: foreign },
        { ...payload, cellCrcs: plain },
      ]) {
        await rejectsWith(t, "EBADMSG", service.put(shardId(1), { bytes, cellCrcs: crcs }));
      }
      await rejectsWith(t, "ENOENT", service.head(shardId(1)));
    }
  });

  promise("sizes and checksums that cannot be are EINVAL", async (t, service) => {
    const { bytes } = payloadOf(64);
    const crcs = cellCrcs(bytes);
    const none = { bytes: new Uint8Array(0), cellCrcs: new Uint32Array(0) };
    await rejectsWith(t, "EINVAL", putShard(service, shardId(1), none));
    const odd = { bytes: bytes.subarray(0, 12), cellCrcs: crcs };
    await rejectsWith(t, "EINVAL", putShard(service, shardId(1), odd));
    const lacking = { bytes: new Uint8Array(2 * CELL_BYTES), cellCrcs: crcs };
    await rejectsWith(t, "EINVAL", putShard(service, shardId(1), lacking));
    const huge = payloadOf(MAX_SHARD_BYTES + 8);
    await rejectsWith(t, "EINVAL", putShard(service, shardId(1), huge));
  });

  promise(
    "an unknown shard is ENOENT to get and head, and missing to secure",
    async (t, service) => {
      await putShard(service, shardId(2), payloadOf(64));
      await rejectsWith(t, "ENOENT", service.get(shardId(1), 0, new Uint8Array(64)));
      await rejectsWith(t, "ENOENT", service.get(shardId(1), 0, new Uint8Array(0)));
      await rejectsWith(t, "ENOENT", service.head(shardId(1)));
      for (const depth of SECURE_DEPTHS) {
        const ids = [shardId(2), shardId(1), shardId(2)];
        t.deepEqual(await service.secure(ids, depth), ["secure", "missing", "secure"]);
      }
      t.deepEqual(await service.headMany([shardId(1), shardId(2)]), [
        undefined,
        { id: shardId(2), sizeBytes: 64 },
      ]);
    },
  );

  promise("batches beyond one request's limits are handled all the same", async (t, service) => {
    const shards = Array.from({ length: 600 }, (_, i) => ({
      id: shardId(i + 1),
      payload: payloadOf(i < 200 ? CELL_BYTES : 16, i),
    }));
    const ids = shards.map(({ id }) => id);
    await putAll(service, shards);
    t.is((await service.headMany(ids)).filter((info) => info !== undefined).length, 600);
    const verdicts = await service.secure([...ids, shardId(601)], "unseen");
    t.deepEqual(verdicts, [...ids.map(() => "secure"), "missing"]);
    await service.deleteMany(ids);
    t.is((await service.headMany(ids)).filter((info) => info !== undefined).length, 0);
  });

  promise("deleted shards are gone, unknown ones are no error", async (t, service) => {
    for (const size of [64, 2 * CELL_BYTES])
      await putShard(service, shardId(size), payloadOf(size));
    await service.deleteMany([shardId(64), shardId(2 * CELL_BYTES), shardId(3)]);
    await rejectsWith(t, "ENOENT", service.head(shardId(64)));
    await rejectsWith(t, "ENOENT", service.get(shardId(2 * CELL_BYTES), 0, new Uint8Array(8)));
    t.like(await service.stats(), { shards: 0, usedBytes: 0 });
    await putShard(service, shardId(64), payloadOf(64, 5));
    await holds(t, service, shardId(64), payloadOf(64, 5));
  });

  promise(
    "a group lists its shards, and only its own, by slice, index, slot",
    async (t, service) => {
      const wanted = [
        shardId(1),
        shardId(2, { slot: 1 }),
        shardId(2, { slot: 5 }),
        shardId(2, { index: 1 }),
        shardId(256),
        shardId(2 ** 40 + 1),
      ];
      const others = [
        shardId(2, { pg: 6 }),
        shardId(2, { pg: 8 }),
        shardId(2, { pool: 2 as PoolId }),
      ];
      for (const id of [...wanted, ...others].reverse())
        await putShard(service, id, payloadOf(64, id.slice));
      const { shards, next } = await service.list(1 as PoolId, 7);
      t.deepEqual(
        shards,
        wanted.map((id) => ({ id, sizeBytes: 64 })),
      );
      t.is(next, undefined);
      t.deepEqual(await service.groups(), [
        [1 as PoolId, 6],
        [1 as PoolId, 7],
        [1 as PoolId, 8],
        [2 as PoolId, 7],
      ]);
      t.deepEqual(await service.list(1 as PoolId, 99), { shards: [] });
    },
  );

  promise("a long listing comes in pages that neither skip nor repeat", async (t, service) => {
    const count = MAX_SHARD_PAGE + 100;
    const shards = Array.from({ length: count }, (_, i) => ({
      id: shardId(i + 1),
      payload: payloadOf(8, i),
    }));
    await putAll(service, shards);
    const first = await service.list(1 as PoolId, 7);
    t.is(first.shards.length, MAX_SHARD_PAGE);
    await service.deleteMany([shardId(MAX_SHARD_PAGE), shardId(MAX_SHARD_PAGE + 1)]);
    const second = await service.list(1 as PoolId, 7, first.next);
    t.is(second.next, undefined);
    t.deepEqual(
      second.shards.map(({ id }) => id.slice),
      Array.from({ length: 99 }, (_, i) => MAX_SHARD_PAGE + 2 + i),
    );
  });

  promise("stats count shards and their bytes", async (t, service) => {
    await putShard(service, shardId(1), payloadOf(64));
    await putShard(service, shardId(2), payloadOf(2 * CELL_BYTES));
    const stats = await service.stats();
    t.like(stats, { shards: 2, usedBytes: 64 + 2 * CELL_BYTES, quarantined: 0 });
    t.true(stats.capacityBytes > stats.usedBytes);
  });

  promise("parked shards are nowhere until they are unparked, whole", async (t, service) => {
    const ids = [64, 2 * CELL_BYTES, 4 * CELL_BYTES].map((size) => shardId(size));
    for (const id of ids) await putShard(service, id, payloadOf(id.slice));
    const [small, large] = [present(ids[0]), present(ids[1])];
    await service.park([small, large, shardId(3)]);
    for (const id of [small, large]) {
      await rejectsWith(t, "ENOENT", service.head(id));
      await rejectsWith(t, "ENOENT", service.get(id, 0, new Uint8Array(64)));
      t.is(await verdictOf(service, id), "missing");
    }
    t.is((await service.list(1 as PoolId, 7)).shards.length, 1);
    const stats = await service.stats();
    t.like(stats, { shards: 1, usedBytes: 4 * CELL_BYTES });
    t.like(stats, { parked: 2, parkedBytes: 64 + 2 * CELL_BYTES });
    t.deepEqual(await service.unpark([...ids, shardId(3)]), [true, true, true, false]);
    for (const id of ids) {
      await holds(t, service, id, payloadOf(id.slice));
      t.is(await verdictOf(service, id), "secure");
    }
    t.like(await service.stats(), { shards: 3, parked: 0, parkedBytes: 0 });
  });

  promise("a parked shard may be put anew, or deleted for good", async (t, service) => {
    for (const size of [64, 2 * CELL_BYTES]) {
      const [again, gone] = [shardId(size), shardId(size + 1)];
      for (const id of [again, gone]) await putShard(service, id, payloadOf(size));
      await service.park([again, gone]);
      await putShard(service, again, payloadOf(size));
      await holds(t, service, again, payloadOf(size));
      await service.deleteMany([gone]);
      t.deepEqual(await service.unpark([again, gone]), [true, false]);
    }
    t.like(await service.stats(), { shards: 2, parked: 0, parkedBytes: 0 });
  });

  promise("a whole shard stays when it is verified", async (t, service) => {
    await putShard(service, shardId(1), payloadOf(64));
    await putShard(service, shardId(2), payloadOf(6 * CELL_BYTES + 8));
    t.is(await verdictOf(service, shardId(1)), "secure");
    t.is(await verdictOf(service, shardId(2)), "secure");
    t.is(await verdictOf(service, shardId(3)), "missing");
  });

  promise("a signal that has ended before the call ends the call", async (t, service) => {
    const gone = AbortSignal.abort();
    await rejectsWith(t, "EINTR", service.put(shardId(1), sealed(shardId(1), payloadOf(64)), gone));
    await rejectsWith(t, "ENOENT", service.head(shardId(1)));
    await putShard(service, shardId(1), payloadOf(64));
    await rejectsWith(t, "EINTR", service.get(shardId(1), 0, new Uint8Array(64), gone));
  });
}
