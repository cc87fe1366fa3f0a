// Where a file's bytes stand: its extents, their stripes, each shard's node, and whether it is
// there.
import { isRegular, type Attr } from "../domain/attributes.ts";
import { type MapHistory, type MapNode, poolOf } from "../domain/cluster-map.ts";
import { FsError } from "../domain/errno.ts";
import { formatShardId, type NodeId, type ShardId } from "../domain/ids.ts";
import { type BlockRef, blockLengthBytes, chunkIndex, type Extent } from "../domain/layout.ts";
import { BLOCK_BYTES, CHUNK_BYTES } from "../domain/format.ts";
import { placementGroupOf, readCandidates } from "../placement/placement.ts";
import type { MetaService } from "../protocol/meta/meta-service.ts";
import type { ShardInfo } from "../protocol/shard/shard-service.ts";

export interface ShardPlace {
  slot: number;
  kind: "data" | "parity";
  shard: string;
  /** Node that has it, else the one that should. */
  node: NodeId | undefined;
  url: string | undefined;
  /** unreachable: the node doesn't answer, so nobody knows. */
  state: "present" | "missing" | "unreachable";
}

export interface StripeLayout {
  slice: number;
  index: number;
  lengthBytes: number;
  pool: string;
  pg: number;
  shards: ShardPlace[];
}

export interface ExtentLayout {
  /** In the file. */
  offset: number;
  lengthBytes: number;
  slice: number;
  /** True: the bytes are in the metadata record, without stripes. */
  inline: boolean;
}

export interface FileLayout {
  extents: ExtentLayout[];
  stripes: StripeLayout[];
}

/** Asks one node which of the shards it has; rejects when it doesn't answer. */
export type HeadMany = (
  node: MapNode,
  ids: readonly ShardId[],
) => Promise<(ShardInfo | undefined)[]>;

/** Chunks asked for in one request, and shards of one head request. */
const CHUNKS_PER_REQUEST = 64;
const SHARDS_PER_REQUEST = 256;

export type LayoutSource = Pick<MetaService, "extents" | "maps">;

/** @throws FsError EINVAL when it isn't a regular file */
export async function describeFile(
  meta: LayoutSource,
  attr: Attr,
  headMany: HeadMany,
): Promise<FileLayout> {
  if (!isRegular(attr.mode)) throw new FsError("EINVAL", "only regular files have stripes");
  const extents: ExtentLayout[] = [];
  const blocks = new Map<string, BlockRef>();
  for (const { chunk, extent } of await extentsOf(meta, attr)) {
    extents.push({
      offset: chunk * CHUNK_BYTES + extent.posInChunk,
      lengthBytes: extent.lengthBytes,
      slice: extent.slice,
      inline: extent.location === undefined,
    });
    for (const ref of blocksOf(extent)) blocks.set(`${ref.slice}-${ref.index}`, ref);
  }
  const maps = await meta.maps();
  const presence = await askNodes(maps, [...blocks.values()], headMany);
  const stripes = [...blocks.values()].map((ref) => describeStripe(maps, ref, presence));
  return { extents, stripes };
}

async function extentsOf(
  meta: LayoutSource,
  attr: Attr,
): Promise<{ chunk: number; extent: Extent }[]> {
  const found: { chunk: number; extent: Extent }[] = [];
  const end = attr.sizeBytes === 0 ? 0 : chunkIndex(attr.sizeBytes - 1) + 1;
  for (let first = 0; first < end; first += CHUNKS_PER_REQUEST) {
    const count = Math.min(CHUNKS_PER_REQUEST, end - first);
    const chunks = await meta.extents(
      attr.ino,
      Array.from({ length: count }, (_, i) => first + i),
    );
    for (const { chunk, extents } of chunks) {
      for (const extent of extents) found.push({ chunk, extent });
    }
  }
  return found;
}

/** Blocks that hold bytes of the extent; none when they are inline. */
function blocksOf({ location, offInSlice, lengthBytes }: Extent): BlockRef[] {
  if (location === undefined) return [];
  const { id: slice, pool, storedBytes, baseBytes } = location;
  const begin = baseBytes + offInSlice;
  const refs: BlockRef[] = [];
  for (
    let index = Math.floor(begin / BLOCK_BYTES);
    index * BLOCK_BYTES < begin + lengthBytes;
    index += 1
  ) {
    refs.push({ pool, slice, index, lengthBytes: blockLengthBytes(storedBytes, index) });
  }
  return refs;
}

interface NodeAnswer {
  reachable: boolean;
  has: Set<string>;
}

function shardIdsOf(maps: MapHistory, ref: BlockRef): { id: ShardId; nodes: readonly MapNode[] }[] {
  const pool = poolOf(maps.current, ref.pool);
  const pg = placementGroupOf(pool, ref.slice, ref.index);
  return readCandidates(maps, pool, pg).map((nodes, slot) => ({
    id: { pool: ref.pool, pg, slice: ref.slice, index: ref.index, slot },
    nodes,
  }));
}

/** Every node that may hold one of the shards is asked once for all of its shards. */
async function askNodes(
  maps: MapHistory,
  refs: readonly BlockRef[],
  headMany: HeadMany,
): Promise<Map<NodeId, NodeAnswer>> {
  const questions = new Map<NodeId, { node: MapNode; ids: ShardId[] }>();
  for (const { id, nodes } of refs.flatMap((ref) => shardIdsOf(maps, ref))) {
    for (const node of nodes) {
      const question = questions.get(node.id) ?? { node, ids: [] };
      question.ids.push(id);
      questions.set(node.id, question);
    }
  }
  const answers = await Promise.all(
    [...questions.values()].map(async ({ node, ids }) => {
      return [node.id, await askNode(node, ids, headMany)] as const;
    }),
  );
  return new Map(answers);
}

async function askNode(
  node: MapNode,
  ids: readonly ShardId[],
  headMany: HeadMany,
): Promise<NodeAnswer> {
  const has = new Set<string>();
  try {
    for (let first = 0; first < ids.length; first += SHARDS_PER_REQUEST) {
      const infos = await headMany(node, ids.slice(first, first + SHARDS_PER_REQUEST));
      for (const info of infos) if (info !== undefined) has.add(formatShardId(info.id));
    }
    return { reachable: true, has };
  } catch {
    // The node's state is part of the answer, not a failure of the command.
    return { reachable: false, has };
  }
}

function describeStripe(
  maps: MapHistory,
  ref: BlockRef,
  answers: ReadonlyMap<NodeId, NodeAnswer>,
): StripeLayout {
  const pool = poolOf(maps.current, ref.pool);
  const shards = shardIdsOf(maps, ref).map(({ id, nodes }): ShardPlace => {
    const shard = formatShardId(id);
    const holder = nodes.find((node) => answers.get(node.id)?.has.has(shard) === true);
    const silent = nodes.some((node) => answers.get(node.id)?.reachable === false);
    const shown = holder ?? nodes[0];
    return {
      slot: id.slot,
      kind: id.slot < pool.k ? "data" : "parity",
      shard,
      node: shown?.id,
      url: shown?.url,
      state: holder !== undefined ? "present" : silent ? "unreachable" : "missing",
    };
  });
  return {
    slice: ref.slice,
    index: ref.index,
    lengthBytes: ref.lengthBytes,
    pool: pool.name,
    pg: placementGroupOf(pool, ref.slice, ref.index),
    shards,
  };
}
