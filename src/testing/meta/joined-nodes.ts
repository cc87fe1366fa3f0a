// Nodes that join a local metadata server, and what else tests of the cluster begin with.
import { DEFAULT_POOL, type Epoch, type NodeId, type SliceId } from "../../domain/ids.ts";
import type { GroupKey } from "../../meta/cluster/group-ledger.ts";
import type { RegisterNode } from "../../protocol/admin/admin-api.ts";
import type { DamageReport } from "../../protocol/meta/meta-service.ts";
import type { LocalMeta } from "./meta-server.ts";

export const SIZES = { usedBytes: 0, capacityBytes: 1000 };
const BEAT = { ...SIZES, shards: 0, quarantined: 0, parked: 0, parkedBytes: 0 };

export function nodeId(index: number): NodeId {
  return index.toString(16).padStart(12, "0") as NodeId;
}

/** Nodes 1 to `count` register. */
export async function join(meta: LocalMeta, count: number): Promise<void> {
  for (let index = 1; index <= count; index++) await register(meta, index);
}

export async function register(meta: LocalMeta, index: number): Promise<void> {
  await meta.cluster.register(joining(index));
}

/** The one process that serves as the node. */
export function processOf(index: number): { nonce: string; url: string } {
  const nonce = index.toString(16).padStart(16, "0");
  return { nonce, url: `http://127.0.0.1:${9000 + index}` };
}

/** What it says of itself when it registers. */
export function joining(index: number, changes: Partial<RegisterNode> = {}): RegisterNode {
  const who = { id: nodeId(index), ...processOf(index), start: 1 };
  return { ...who, zone: "", weight: 100, ...SIZES, ...changes };
}

export async function beat(meta: LocalMeta, ...indexes: number[]): Promise<void> {
  for (const index of indexes) {
    await meta.cluster.heartbeat(nodeId(index), { ...BEAT, ...processOf(index) });
  }
}

/** The node's process says that it ends. */
export async function leave(meta: LocalMeta, index: number): Promise<Epoch> {
  return await meta.cluster.leaving(nodeId(index), processOf(index));
}

/** Data exists from now on, so that groups don't count as clean for being empty. */
export async function writeSomething(meta: LocalMeta): Promise<void> {
  await (await meta.newSession()).allocateSlices();
}

export function allGroups(meta: LocalMeta): GroupKey[] {
  return meta.cluster
    .current()
    .pools.flatMap(({ id: pool, pgCount }) =>
      Array.from({ length: pgCount }, (_, pg) => ({ pool, pg })),
    );
}

/** Groups were looked at, found whole, and all that was feared of them is answered. */
export async function settleGroups(meta: LocalMeta, groups = allGroups(meta)): Promise<void> {
  const { cluster } = meta;
  const looks = groups.map((group) => {
    return { group, isClean: true, answers: cluster.groups.concernsOf(group) };
  });
  await cluster.groups.recordLooks(looks, cluster.current().epoch);
}

/** Of node 1, slot 1. */
export function damage(pg: number, slice = 256): DamageReport {
  const shard = { pool: DEFAULT_POOL, pg, slice: slice as SliceId, index: 0, slot: 1 };
  return { shard, kind: "missing", node: nodeId(1) };
}
