// What one side of the wire writes the other reads; what is cut or wrong is refused.
import fc from "fast-check";
import test from "ava";
import { FsError } from "../../domain/errno.ts";
import { parseShardId, type PoolId, type ShardId, type SliceId } from "../../domain/ids.ts";
import { present } from "../../testing/present.ts";
import { decodeShardIds, encodeShardIds, groupKey, readShardKey, shardKey } from "./shard-key.ts";
import { errorFromProblem, shardProblem } from "./shard-problem.ts";
import { decodeCellCrcs, encodeCellCrcs, ROUTES } from "./shard-wire.ts";

const shardIds = fc.record({
  pool: fc.integer({ min: 0, max: 0xffff }),
  pg: fc.integer({ min: 0, max: 0xffff_ffff }),
  slice: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  index: fc.integer({ min: 0, max: 0xffff }),
  slot: fc.integer({ min: 0, max: 0xff }),
}) as fc.Arbitrary<ShardId>;

test("every shard id survives its key, its text and a batch", (t) => {
  fc.assert(
    fc.property(fc.array(shardIds, { maxLength: 20 }), (ids) => {
      t.deepEqual(decodeShardIds(encodeShardIds(ids)), ids);
      for (const id of ids) {
        t.deepEqual(readShardKey(shardKey(id), 0), id);
        t.deepEqual(parseShardId(ROUTES.shard(id).replace("/shards/", "")), id);
      }
    }),
  );
});

test("keys sort as pool, group, slice, index, slot, and begin with their group's key", (t) => {
  const fields = (id: ShardId): number[] => [id.pool, id.pg, id.slice, id.index, id.slot];
  fc.assert(
    fc.property(shardIds, shardIds, (a, b) => {
      const differing = fields(a).findIndex((field, at) => field !== fields(b)[at]);
      const order =
        differing < 0
          ? 0
          : Math.sign(present(fields(a)[differing]) - present(fields(b)[differing]));
      t.true(Buffer.compare(shardKey(a), shardKey(b)) === order);
      t.true(shardKey(a).subarray(0, 6).equals(groupKey(a.pool, a.pg)));
    }),
  );
});

test("checksums survive their header; another number of them is refused", (t) => {
  const crcs = Uint32Array.of(0, 1, 0xffff_ffff);
  t.deepEqual(decodeCellCrcs(encodeCellCrcs(crcs), 3), crcs);
  t.throws(() => decodeCellCrcs(encodeCellCrcs(crcs), 2), { instanceOf: FsError });
  t.throws(() => decodeCellCrcs(undefined, 1), { instanceOf: FsError });
});

test("errors survive the wire by name; what isn't a problem document is EIO", (t) => {
  for (const code of [
    "ENOENT",
    "EBADMSG",
    "ENOSPC",
    "EEXIST",
    "EINVAL",
    "EIO",
    "EPROTO",
  ] as const) {
    const problem = shardProblem(new FsError(code, "because"));
    const error = errorFromProblem(problem.status, JSON.stringify(problem));
    t.is(error.code, code);
    t.is(error.message, "because");
  }
  const id: ShardId = { pool: 1 as PoolId, pg: 0, slice: 1 as SliceId, index: 0, slot: 0 };
  for (const body of ["", "nonsense", "null", "{}", '{"code":"NOPE"}', JSON.stringify(id)]) {
    t.is(errorFromProblem(500, body).code, "EIO");
  }
});
