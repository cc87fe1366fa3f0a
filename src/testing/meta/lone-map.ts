// The cluster map of a server that has no node yet.
import type { MapHistory } from "../../domain/cluster-map.ts";
import { DEFAULT_POOL, type Epoch } from "../../domain/ids.ts";

export const LONE_MAPS: MapHistory = {
  current: {
    epoch: 1 as Epoch,
    nodes: [],
    pools: [{ id: DEFAULT_POOL, name: "default", k: 4, m: 2, pgCount: 8 }],
  },
  older: [],
};
