// How the cluster's state is kept in the engine: maps, nodes, groups, damage, settings.
import type { ClusterMap, MapNode, Pool } from "../../domain/cluster-map.ts";
import { FsError } from "../../domain/errno.ts";
import { COPY_PG_COUNT, COPY_POLICY, COPY_POOL } from "../../domain/format.ts";
import type { Epoch, NodeId } from "../../domain/ids.ts";
import { damageCodec, readClusterMap } from "../../protocol/meta/wire-cluster.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import { takenBelow } from "../schema/counters.ts";
import { groupOfKey, keyRanges, keys } from "../schema/keys.ts";
import { decodeRecord, encodeRecord } from "../schema/records.ts";
import { GroupLedger, type GroupConcerns, type GroupKey } from "./group-ledger.ts";

const VERSION = 1;
/** Of what is known against a group. */
const CONCERNS_VERSION = 2;
const NODE_VERSION = 2;
const CLUSTER_ID = "clusterId";
const CLEAN_BASELINE = "cleanBaseline";
const RECONCILE = "reconcile";

/** What a node said of itself when it registered last. */
export interface NodeRecord {
  readonly id: NodeId;
  readonly joinedMs: number;
  readonly capacityBytes: number;
  readonly usedBytes: number;
  /** Of the start that registered. */
  readonly nonce: string;
  readonly start: number;
}

/** Everything a registry begins with. */
export interface StoredCluster {
  readonly clusterId: string;
  readonly maps: readonly ClusterMap[];
  readonly nodes: readonly NodeRecord[];
  readonly groups: GroupLedger;
}

/** Where copies of the metadata are kept; every cluster has it. */
export const COPIES_POOL: Pool = {
  id: COPY_POOL,
  name: "metadata",
  pgCount: COPY_PG_COUNT,
  ...COPY_POLICY,
};

/** Begins a cluster with a pool for files and no nodes. Does nothing to one that exists. */
export function formatCluster(tx: Transaction, clusterId: string, pool: Pool): void {
  if (tx.get(keys.setting(CLUSTER_ID)) !== undefined) return;
  tx.put(keys.setting(CLUSTER_ID), encodeRecord(VERSION, clusterId));
  const epoch = 1 as Epoch;
  putMap(tx, { epoch, nodes: [], pools: [pool, COPIES_POOL] });
  putBaseline(tx, epoch);
}

/** @throws FsError EIO when there is none */
export function clusterIdOf(tx: ReadTransaction): string {
  const id = readSetting(tx, CLUSTER_ID, String);
  if (id === undefined) throw new FsError("EIO", "the metadata store holds no cluster");
  return id;
}

/** @throws FsError EIO when there is none */
export function newestMap(tx: ReadTransaction): ClusterMap {
  const [newest] = tx.range({ ...keyRanges.clusterMaps(), limit: 1, reverse: true });
  if (newest === undefined) throw new FsError("EIO", "the metadata store holds no cluster map");
  return decodeRecord(newest.value, { [VERSION]: readClusterMap });
}

/** More epochs than a cluster sees between two restores, and few enough for thousands of them. */
const EPOCH_LEAP = 2 ** 32;

/**
 * For a store that goes on from an older state: its map is newer than any that was told, and no
 * group is known to be whole, since shards may have moved to nodes that this map doesn't know.
 */
export function renewCluster(tx: Transaction): void {
  // A store that has lost everything becomes another cluster's.
  if (tx.get(keys.setting(CLUSTER_ID)) === undefined) return;
  const map = newestMap(tx);
  putMap(tx, { ...map, epoch: (map.epoch + EPOCH_LEAP) as Epoch });
  for (const { key } of [...tx.range(keyRanges.groups())]) tx.delete(key);
  putBaseline(tx, 0 as Epoch);
}

export function loadCluster(tx: ReadTransaction): StoredCluster {
  const clusterId = readSetting(tx, CLUSTER_ID, String) ?? "";
  const maps = values(tx, "clusterMaps").map((record) =>
    decodeRecord(record, { [VERSION]: readClusterMap }),
  );
  const current = maps.at(-1);
  if (current === undefined) throw new FsError("EIO", "the metadata store holds no cluster map");
  const groups = new GroupLedger(current, readSetting(tx, CLEAN_BASELINE, Number) as Epoch);
  for (const { key, value } of tx.range(keyRanges.groups())) {
    groups.setClean(groupOfKey(key), decodeRecord(value, { [VERSION]: Number }) as Epoch);
  }
  for (const { key, value } of tx.range(keyRanges.damages())) {
    loadConcerns(groups, groupOfKey(key), value);
  }
  // Written by putNode only.
  const readers = { [NODE_VERSION]: (stored: unknown) => stored as NodeRecord };
  const nodes = values(tx, "nodes").map((record) => decodeRecord(record, readers));
  return { clusterId, maps, nodes, groups };
}

export function putMap(tx: Transaction, map: ClusterMap): void {
  tx.put(keys.clusterMap(map.epoch), encodeRecord(VERSION, map));
}

export function putNode(tx: Transaction, node: NodeRecord): void {
  tx.put(keys.node(node.id), encodeRecord(NODE_VERSION, node));
}

export function putGroupClean(tx: Transaction, group: GroupKey, epoch: Epoch): void {
  tx.put(keys.group(group.pool, group.pg), encodeRecord(VERSION, epoch));
}

/** The damage reported of a group, and the nodes that are in doubt; none of either: no record. */
export function putConcerns(
  tx: Transaction,
  group: GroupKey,
  { findings, doubts }: GroupConcerns,
): void {
  const key = keys.damage(group.pool, group.pg);
  if (findings.length + doubts.length === 0) tx.delete(key);
  else {
    const stored = [
      findings.map(({ report }) => damageCodec.pack(report)),
      doubts.map(({ node, verify }) => [node, verify]),
    ];
    tx.put(key, encodeRecord(CONCERNS_VERSION, stored));
  }
}

function loadConcerns(groups: GroupLedger, group: GroupKey, record: Uint8Array): void {
  const [reports, doubts] = decodeRecord(record, {
    // Written by putConcerns only.
    [CONCERNS_VERSION]: (stored) => stored as [unknown[], [NodeId, boolean][]],
  });
  for (const raw of reports) groups.addDamage(damageCodec.read(raw));
  for (const [node, verify] of doubts) groups.doubt(group, node, verify);
}

export function putBaseline(tx: Transaction, epoch: Epoch): void {
  tx.put(keys.setting(CLEAN_BASELINE), encodeRecord(VERSION, epoch));
}

/**
 * The store may know less than it once did: nothing is garbage for want of a record until a survey
 * has seen every node.
 */
export function putReconcile(tx: Transaction, why: string): void {
  tx.put(keys.setting(RECONCILE), encodeRecord(VERSION, why));
}

/** Why the store is to be reconciled with the nodes; undefined: it isn't. */
export function whyReconcile(tx: ReadTransaction): string | undefined {
  return readSetting(tx, RECONCILE, String);
}

export function clearReconcile(tx: Transaction): void {
  tx.delete(keys.setting(RECONCILE));
}

/** No slice id was ever handed out, so no shard can exist. */
export function holdsNoData(tx: ReadTransaction): boolean {
  return takenBelow(tx, "slice") === undefined;
}

/** Same nodes in every field that a map holds. */
export function sameNodes(a: readonly MapNode[], b: readonly MapNode[]): boolean {
  return a.length === b.length && a.every((node, index) => sameNode(node, b[index]));
}

function sameNode(a: MapNode, b: MapNode | undefined): boolean {
  return (
    a === b ||
    (b !== undefined &&
      a.id === b.id &&
      a.url === b.url &&
      a.weight === b.weight &&
      a.zone === b.zone &&
      a.state === b.state)
  );
}

function readSetting<T>(
  tx: ReadTransaction,
  name: string,
  read: (value: unknown) => T,
): T | undefined {
  const record = tx.get(keys.setting(name));
  return record === undefined ? undefined : decodeRecord(record, { [VERSION]: read });
}

function values(tx: ReadTransaction, kind: "clusterMaps" | "nodes"): readonly Uint8Array[] {
  return [...tx.range(keyRanges[kind]())].map(({ value }) => value);
}
