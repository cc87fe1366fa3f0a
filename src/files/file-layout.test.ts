import test from "ava";
import { S_IFDIR, S_IFREG, type Attr } from "../domain/attributes.ts";
import type { ClusterMap, MapHistory, MapNode } from "../domain/cluster-map.ts";
import { FsError } from "../domain/errno.ts";
import { BLOCK_BYTES, CHUNK_BYTES } from "../domain/format.ts";
import { DEFAULT_POOL, type Epoch, type NodeId, ROOT_INO, type SliceId } from "../domain/ids.ts";
import type { Extent } from "../domain/layout.ts";
import type { ShardInfo } from "../protocol/shard/shard-service.ts";
import { describeFile, type HeadMany, type LayoutSource } from "./file-layout.ts";

const NODES: MapNode[] = [1, 2, 3, 4].map((number) => ({
  id: `n${number}` as NodeId,
  url: `http://node${number}`,
  weight: 100,
  zone: "",
  state: "up",
}));
const MAP: ClusterMap = {
  epoch: 1 as Epoch,
  nodes: NODES,
  pools: [{ id: DEFAULT_POOL, name: "default", k: 2, m: 1, pgCount: 8 }],
};

function sourceOf(byChunk: Record<number, Extent[]>): LayoutSource {
  const maps: MapHistory = { current: MAP, older: [] };
  return {
    maps: () => Promise.resolve(maps),
    extents: (_ino, chunks) =>
      Promise.resolve(chunks.map((chunk) => ({ chunk, extents: byChunk[chunk] ?? [] }))),
  };
}

function attrOf(sizeBytes: number, type = S_IFREG): Attr {
  const times = { atimeSec: 0, atimeNsec: 0, mtimeSec: 0, mtimeNsec: 0, ctimeSec: 0, ctimeNsec: 0 };
  const owner = { uid: 0, gid: 0, nlink: 1, rdev: 0 };
  return { ino: ROOT_INO, mode: type | 0o644, sizeBytes, allocatedBytes: 0, ...owner, ...times };
}

/** A node that has every shard it is asked for, or none, or doesn't answer. */
function nodesThat(answer: (node: MapNode) => "all" | "none" | "silence"): HeadMany {
  return (node, ids) => {
    const does = answer(node);
    if (does === "silence") return Promise.reject(new FsError("ETIMEDOUT", "no answer"));
    const info = (id: ShardInfo["id"]): ShardInfo => ({ id, sizeBytes: 1 });
    return Promise.resolve(ids.map((id) => (does === "all" ? info(id) : undefined)));
  };
}

const SLICE = 5 as SliceId;
const TWO_BLOCKS: Extent = {
  posInChunk: 100,
  lengthBytes: BLOCK_BYTES + 10,
  offInSlice: 0,
  slice: SLICE,
  location: { id: SLICE, pool: DEFAULT_POOL, storedBytes: BLOCK_BYTES + 10, baseBytes: 0 },
};

test("extents have their place in the file, each block stands once", async (t) => {
  const inline: Extent = {
    posInChunk: 7,
    lengthBytes: 3,
    offInSlice: 0,
    slice: 6 as SliceId,
    inline: Buffer.from("abc"),
  };
  const source = sourceOf({ 0: [TWO_BLOCKS], 1: [inline, TWO_BLOCKS] });
  const head = nodesThat(() => "all");
  const { extents, stripes } = await describeFile(source, attrOf(2 * CHUNK_BYTES), head);
  t.deepEqual(
    extents.map(({ offset, lengthBytes, inline: isInline }) => [offset, lengthBytes, isInline]),
    [
      [100, BLOCK_BYTES + 10, false],
      [CHUNK_BYTES + 7, 3, true],
      [CHUNK_BYTES + 100, BLOCK_BYTES + 10, false],
    ],
  );
  t.deepEqual(
    stripes.map(({ slice, index, lengthBytes }) => [slice, index, lengthBytes]),
    [
      [SLICE, 0, BLOCK_BYTES],
      [SLICE, 1, 10],
    ],
  );
  for (const { shards } of stripes) {
    t.deepEqual(
      shards.map(({ slot, kind, state }) => [slot, kind, state]),
      [
        [0, "data", "present"],
        [1, "data", "present"],
        [2, "parity", "present"],
      ],
    );
    t.is(new Set(shards.map(({ node }) => node)).size, 3);
  }
});

test("a shard its node lacks is missing, that of a silent node is unreachable", async (t) => {
  const source = sourceOf({ 0: [TWO_BLOCKS] });
  const attr = attrOf(CHUNK_BYTES);
  for (const [answer, state] of [
    ["none", "missing"],
    ["silence", "unreachable"],
  ] as const) {
    const { stripes } = await describeFile(
      source,
      attr,
      nodesThat(() => answer),
    );
    const states = stripes.flatMap(({ shards }) => shards.map((shard) => shard.state));
    t.deepEqual(new Set(states), new Set([state]));
  }
});

test("only regular files have stripes, and an empty one has none", async (t) => {
  const head = nodesThat(() => "all");
  const empty = await describeFile(sourceOf({}), attrOf(0), head);
  t.deepEqual(empty, { extents: [], stripes: [] });
  const directory = describeFile(sourceOf({}), attrOf(0, S_IFDIR), head);
  await t.throwsAsync(directory, { code: "EINVAL" });
});
