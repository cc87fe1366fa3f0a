// The cluster map and damage reports as they travel; rare messages, so they keep their field names.
import { z } from "zod";
import type { ClusterMap, MapHistory } from "../../domain/cluster-map.ts";
import { FsError } from "../../domain/errno.ts";
import { formatShardId, parseShardId, type NodeId } from "../../domain/ids.ts";
import { MAX_MAP_HISTORY, MAX_NODES } from "../../domain/limits.ts";
import { MAX_NODE_WEIGHT } from "../../domain/format.ts";
import type { DamageReport } from "./meta-service.ts";
import { readList, readText, type Codec } from "../rpc/wire-readers.ts";

const nodeSchema = z.object({
  id: z.string(),
  url: z.string(),
  weight: z.int().min(1).max(MAX_NODE_WEIGHT),
  zone: z.string(),
  state: z.enum(["up", "down", "out", "draining"]),
});
const poolSchema = z.object({
  id: z.int().positive(),
  name: z.string(),
  k: z.int().positive(),
  m: z.int().nonnegative(),
  pgCount: z.int().positive(),
});

/** A cluster map as it is sent and stored. */
export const clusterMapSchema = z.object({
  epoch: z.int().nonnegative(),
  nodes: z.array(nodeSchema).max(MAX_NODES),
  pools: z.array(poolSchema).min(1),
});

/** @throws FsError EPROTO */
export function readClusterMap(value: unknown): ClusterMap {
  const parsed = clusterMapSchema.safeParse(value);
  if (!parsed.success)
    throw new FsError("EPROTO", "malformed cluster map", { cause: parsed.error });
  // The schema has checked every field; only the brands of the identifiers are missing.
  return parsed.data as unknown as ClusterMap;
}

export const mapsCodec: Codec<MapHistory> = {
  pack: (maps) => [maps.current, maps.older],
  read: (raw) => {
    const fields = readList(raw, 2, "cluster maps");
    return {
      current: readClusterMap(fields[0]),
      older: readList(fields[1], MAX_MAP_HISTORY, "older maps").map(readClusterMap),
    };
  },
};

export const damageCodec: Codec<DamageReport> = {
  pack: (report) => [formatShardId(report.shard), report.kind, report.node],
  read: (raw) => {
    const fields = readList(raw, 3, "damage report");
    const shard = parseShardId(readText(fields[0], 64, "shard"));
    const kind = fields[1];
    if (shard === undefined) throw new FsError("EPROTO", "malformed message: shard id");
    if (kind !== "misplaced" && kind !== "missing" && kind !== "corrupt") {
      throw new FsError("EPROTO", "malformed message: kind of damage");
    }
    return { shard, kind, node: readText(fields[2], 64, "node") as NodeId };
  },
};
