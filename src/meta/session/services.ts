// What each operation does that is no transaction of the namespace: locks, slice ids, the map.
import type { ClusterMap } from "../../domain/cluster-map.ts";
import { invariant } from "../../domain/invariant.ts";
import type { SessionId } from "../../domain/ids.ts";
import type {
  MetaArgs,
  MetaResult,
  ServiceOperation,
} from "../../protocol/meta/meta-operations.ts";
import type { ClusterRegistry } from "../cluster/cluster-registry.ts";
import type { Engine } from "../engine/engine.ts";
import type { LockRegistry } from "../locks/lock-registry.ts";
import { loadInode, usageOf } from "../namespace/inodes.ts";
import { unsettledOf, unsettledOfSession } from "../namespace/unsettled-slices.ts";
import { takeSliceRange } from "../schema/slice-ranges.ts";

/** For whom a service is done, and by what. */
export interface ServiceScope {
  readonly session: SessionId;
  readonly engine: Engine;
  readonly cluster: ClusterRegistry;
  readonly locks: LockRegistry;
}

type Service<O extends ServiceOperation> = (
  scope: ServiceScope,
  ...args: MetaArgs<O>
) => MetaResult<O> | Promise<MetaResult<O>>;

export const SERVICES: { readonly [O in ServiceOperation]: Service<O> } = {
  allocateSlices: ({ engine, session }) =>
    engine.transact((tx) => takeSliceRange(tx, session), { durable: true }),
  syncMetadata: ({ engine }) => engine.flush(),
  syncFile: async ({ engine }, ino, after) => {
    await engine.flush();
    return engine.read((tx) => {
      loadInode(tx, ino);
      return unsettledOf(tx, ino, after);
    });
  },
  syncSession: async ({ engine, session }, after) => {
    await engine.flush();
    return engine.read((tx) => unsettledOfSession(tx, session, after));
  },
  statfs: async ({ engine, cluster }) => {
    const { inodes } = await engine.read(usageOf);
    const { totalBytes, usedBytes } = cluster.capacity(defaultPool(cluster.current()));
    return { totalBytes, freeBytes: Math.max(0, totalBytes - usedBytes), inodes };
  },
  getlk: ({ locks, session }, query) => locks.get(session, query),
  setlk: ({ locks, session }, request) => locks.set(session, request),
  cancelLock: ({ locks, session }, request) => locks.cancel(session, request),
  maps: ({ cluster }) => cluster.history(),
  reportDamage: ({ cluster }, reports) => cluster.groups.reportDamage(reports),
};

function defaultPool(map: ClusterMap): ClusterMap["pools"][number] {
  const [pool] = map.pools;
  invariant(pool !== undefined, "a cluster has a pool", { epoch: map.epoch });
  return pool;
}
