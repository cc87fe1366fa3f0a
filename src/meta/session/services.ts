// What each operation does that is no transaction of the namespace: locks, slice ids, the map.
import type { ClusterMap } from "../../domain/cluster-map.ts";
import { invariant } from "../../domain/invariant.ts";
import type { SessionId } from "../../domain/ids.ts";
import type {
  MetaArgs,
  MetaResult,
  ServiceOperation,
} from "../../protocol/meta/meta-operations.ts";
import { Acknowledged } from "../../protocol/rpc/acknowledged.ts";
import type { ClusterRegistry } from "../cluster/cluster-registry.ts";
import type { Engine, ReadTransaction } from "../engine/engine.ts";
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
  /** What the client is told of a change of the store that is no transaction of the namespace. */
  readonly acknowledge: <T>(result: T, position: number) => Acknowledged<T>;
}

type Service<O extends ServiceOperation> = (
  scope: ServiceScope,
  ...args: MetaArgs<O>
) => Answer<MetaResult<O>> | Promise<Answer<MetaResult<O>>>;

type Answer<T> = T | Acknowledged<T>;

export const SERVICES: { readonly [O in ServiceOperation]: Service<O> } = {
  allocateSlices: ({ engine, session }) =>
    engine.transact((tx) => takeSliceRange(tx, session), { durable: true }),
  syncMetadata: ({ engine }) => flushed(engine, () => undefined),
  syncFile: ({ engine }, ino, after) =>
    flushed(engine, (tx) => unsettledOf(tx, loadInode(tx, ino), after)),
  syncSession: ({ engine, session }, after) =>
    flushed(engine, (tx) => unsettledOfSession(tx, session, after)),
  statfs: async ({ engine, cluster }) => {
    const { inodes } = await engine.read(usageOf);
    const { totalBytes, usedBytes } = cluster.capacity(defaultPool(cluster.current()));
    return { totalBytes, freeBytes: Math.max(0, totalBytes - usedBytes), inodes };
  },
  getlk: ({ locks, session }, query) => locks.get(session, query),
  setlk: async ({ locks, session, acknowledge }, request) => {
    const { reply, position } = await locks.set(session, request);
    return position === undefined ? reply : acknowledge(reply, position);
  },
  cancelLock: ({ locks, session }, request) => locks.cancel(session, request),
  maps: ({ cluster }) => cluster.history(),
  reportDamage: ({ cluster }, reports) => cluster.groups.reportDamage(reports),
};

/** What `look` finds when all that was acknowledged before is on disk. */
async function flushed<T>(
  engine: Engine,
  look: (tx: ReadTransaction) => T,
): Promise<Acknowledged<T>> {
  await engine.flush();
  return new Acknowledged(await engine.read(look), engine.durablePosition);
}

function defaultPool(map: ClusterMap): ClusterMap["pools"][number] {
  const [pool] = map.pools;
  invariant(pool !== undefined, "a cluster has a pool", { epoch: map.epoch });
  return pool;
}
