// The cluster as the metadata server knows it: nodes and their states, and the map with its epochs.
// Nothing is handed out before it is on disk. Placement groups are GroupRegistry's.
import { FsError } from "../../domain/errno.ts";
import type { ClusterMap, MapHistory, MapNode, Pool } from "../../domain/cluster-map.ts";
import type { Epoch, NodeId } from "../../domain/ids.ts";
import { invariant } from "../../domain/invariant.ts";
import { MAP_HISTORY_GRACE_MS } from "./limits.ts";
import { MAX_MAP_HISTORY, MAX_NODES } from "../../domain/limits.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import type {
  Heartbeat,
  NodeSender,
  RegisterNode,
  RegisterReply,
} from "../../protocol/admin/admin-api.ts";
import type { Engine, Transaction } from "../engine/engine.ts";
import { keys } from "../schema/keys.ts";
import {
  holdsNoData,
  loadCluster,
  putBaseline,
  putMap,
  putNode,
  sameNodes,
  type StoredCluster,
} from "./cluster-records.ts";
import type { GroupLedger } from "./group-ledger.ts";
import { GroupRegistry } from "./group-registry.ts";
import { completeSince, neededMaps } from "./map-history.ts";
import { NodeMonitor, type NodeActivity } from "./node-monitor.ts";
import { NodeRegistrations, type Arrival, type NodeProcess } from "./node-registrations.ts";
import { stateAfterSign, type NodeTimings } from "./node-states.ts";

export interface RegistryOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly log: Log;
  readonly timings: NodeTimings;
}

/** A node as the map has it, with what it last said of itself. */
export type NodeView = MapNode & NodeActivity;

type NodeEdit = (nodes: readonly MapNode[]) => readonly MapNode[];

interface Change {
  readonly edit: NodeEdit;
  /** Written together with the map. */
  readonly record: ((tx: Transaction) => void) | undefined;
  readonly resolve: (epoch: Epoch) => void;
  readonly reject: (error: unknown) => void;
}

export class ClusterRegistry {
  readonly clusterId: string;
  readonly groups: GroupRegistry;
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #ledger: GroupLedger;
  readonly #monitor: NodeMonitor;
  readonly #registrations: NodeRegistrations;
  /** Of each map since then one is kept that places alike. */
  #completeSince: Epoch;
  readonly #replacedAtMs = new Map<Epoch, number>();
  readonly #listeners = new Set<(maps: MapHistory) => void>();
  readonly #pendingChanges: Change[] = [];
  #changing: Promise<void> | undefined;
  #history: MapHistory;

  static async open(options: RegistryOptions): Promise<ClusterRegistry> {
    return new ClusterRegistry(options, await options.engine.read(loadCluster));
  }

  private constructor(options: RegistryOptions, stored: StoredCluster) {
    const { engine, clock, log, timings } = options;
    this.clusterId = stored.clusterId;
    this.#engine = engine;
    this.#clock = clock;
    this.#log = log;
    this.#ledger = stored.groups;
    const current = stored.maps.at(-1);
    invariant(current !== undefined, "a cluster has a map");
    for (const map of stored.maps) this.#replacedAtMs.set(map.epoch, clock.monotonicMs());
    this.#completeSince = current.epoch;
    this.#history = { current, older: this.#needed(current, stored.maps.slice(0, -1)) };
    this.groups = new GroupRegistry({
      engine,
      ledger: stored.groups,
      maps: () => this.#history,
      completeSince: () => this.#completeSince,
      onCleaned: () => this.#forgetMaps(),
    });
    const processes = stored.nodes.flatMap(({ id, nonce, start }) => {
      const url = current.nodes.find((node) => node.id === id)?.url;
      return url === undefined ? [] : [{ id, nonce, url, start }];
    });
    this.#registrations = new NodeRegistrations(processes, timings.nodeDownAfterMs);
    this.#monitor = new NodeMonitor({
      clock,
      timings,
      known: stored.nodes,
      edit: (edit) => this.#changeInBackground(edit),
    });
  }

  /** Begins to watch for silent nodes; their timers start anew. */
  start(): void {
    this.#monitor.start();
  }

  /** Stops the timers and waits for changes under way. */
  async close(): Promise<void> {
    this.#monitor.close();
    await this.#changing;
  }

  current(): ClusterMap {
    return this.#history.current;
  }

  /** The same object until something changes. */
  history(): MapHistory {
    return this.#history;
  }

  /** Called after each change of the map, when it is on disk. Returns the way to stop it. */
  onChange(listener: (maps: MapHistory) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  nodes(): NodeView[] {
    return this.current().nodes.map((node) => ({ ...node, ...this.#monitor.activity(node.id) }));
  }

  /**
   * A node starts, or has found this server again: it is up from now on.
   * @throws FsError EEXIST (it belongs to another cluster), EBUSY (another process serves as it),
   *   ENOSPC (too many nodes)
   */
  async register(request: RegisterNode): Promise<RegisterReply> {
    if (request.clusterId !== undefined && request.clusterId !== this.clusterId) {
      throw new FsError("EEXIST", `node ${request.id} belongs to cluster ${request.clusterId}`);
    }
    // The schema has checked that it is 12 hex digits.
    const id = request.id as NodeId;
    const isKnown = this.current().nodes.some((node) => node.id === id);
    if (!isKnown && this.current().nodes.length >= MAX_NODES) {
      throw new FsError("ENOSPC", `a cluster has at most ${MAX_NODES} nodes`);
    }
    const { nonce, url, start } = request;
    const candidate = { nonce, url, start };
    const arrival = this.#registrations.claim(id, candidate, this.#monitor.silentMs(id));
    try {
      if (isKnown) await this.#doubt(id, arrival);
      return await this.#admit(id, candidate, request);
    } finally {
      this.#registrations.withdraw(id, candidate);
    }
  }

  /** True when the node has registered with this run of the server. */
  isRegistered(id: NodeId): boolean {
    return this.#registrations.isRegistered(id);
  }

  /** What the start before had not flushed may be gone, and of older data anything. */
  async #doubt(id: NodeId, { isNewStart, isOlder }: Arrival): Promise<void> {
    if (isOlder) {
      const text = "a node's data has been put back or is a copy; all of it will be looked at";
      this.#log.error({ node: id }, text);
    }
    if (isNewStart) await this.groups.doubtNode(id, isOlder);
  }

  async #admit(id: NodeId, candidate: NodeProcess, request: RegisterNode): Promise<RegisterReply> {
    const { capacityBytes, usedBytes } = request;
    const { nonce, start } = candidate;
    const joinedMs = this.#clock.nowMs();
    const epoch = await this.#change(
      (nodes) => withNode(nodes, id, request),
      (tx) => putNode(tx, { id, joinedMs, capacityBytes, usedBytes, nonce, start }),
    );
    this.#registrations.confirm(id, candidate);
    this.#monitor.registered(id, { capacityBytes, usedBytes });
    return { epoch, clusterId: this.clusterId };
  }

  /**
   * The node for which the process speaks.
   * @throws FsError ENOENT when the node must register first, EBUSY when another process is it
   */
  senderOf(id: string, sender: NodeSender): MapNode {
    const node = this.current().nodes.find((candidate) => candidate.id === id);
    if (node === undefined) throw new FsError("ENOENT", `node ${id} is not registered`);
    this.#registrations.check(node.id, sender);
    return node;
  }

  /** @throws FsError as senderOf */
  async heartbeat(id: string, heartbeat: Heartbeat): Promise<Epoch> {
    const node = this.senderOf(id, heartbeat);
    const { usedBytes, capacityBytes, shards, quarantined, parked, parkedBytes } = heartbeat;
    const said = { usedBytes, capacityBytes, shards, quarantined, parked, parkedBytes };
    this.#monitor.heard(node.id, said);
    const state = stateAfterSign(node.state);
    if (state === node.state) return this.current().epoch;
    return await this.#change((nodes) => withState(nodes, node.id, state));
  }

  /** A node shuts down in order: new writes skip it at once. @throws FsError as senderOf */
  async leaving(id: string, sender: NodeSender): Promise<Epoch> {
    const node = this.senderOf(id, sender);
    if (node.state === "out") return this.current().epoch;
    return await this.#change((nodes) => withState(nodes, node.id, "down"));
  }

  /** Bytes of user data in a pool: what the nodes hold and could hold, redundancy taken off. */
  capacity(pool: Pool): { usedBytes: number; totalBytes: number } {
    const share = pool.k / (pool.k + pool.m);
    const holding = this.nodes().filter((node) => node.state !== "out");
    const sum = (field: "usedBytes" | "capacityBytes"): number =>
      Math.floor(holding.reduce((total, node) => total + node[field], 0) * share);
    return { usedBytes: sum("usedBytes"), totalBytes: sum("capacityBytes") };
  }

  #changeInBackground(edit: NodeEdit): void {
    this.#change(edit).catch((error: unknown) => {
      this.#log.error({ err: error }, "the cluster map could not be changed; will try again");
    });
  }

  /** Resolves with the epoch in which the edit is in force, on disk. Edits meanwhile share one. */
  #change(edit: NodeEdit, record?: (tx: Transaction) => void): Promise<Epoch> {
    return new Promise((resolve, reject) => {
      this.#pendingChanges.push({ edit, record, resolve, reject });
      this.#changing ??= this.#applyChanges().finally(() => (this.#changing = undefined));
    });
  }

  async #applyChanges(): Promise<void> {
    while (this.#pendingChanges.length > 0) {
      const changes = this.#pendingChanges.splice(0);
      try {
        const epoch = await this.#apply(changes);
        for (const change of changes) change.resolve(epoch);
      } catch (error) {
        for (const change of changes) change.reject(error);
      }
    }
  }

  async #apply(changes: readonly Change[]): Promise<Epoch> {
    const { current } = this.#history;
    const nodes = changes.reduce((edited, { edit }) => edit(edited), current.nodes);
    const isNew = !sameNodes(nodes, current.nodes);
    const next = isNew ? { ...current, epoch: (current.epoch + 1) as Epoch, nodes } : current;
    if (!isNew && changes.every(({ record }) => record === undefined)) return current.epoch;
    const empty = await this.#engine.transact(
      (tx) => {
        for (const { record } of changes) record?.(tx);
        if (isNew) putMap(tx, next);
        const isEmpty = holdsNoData(tx);
        if (isEmpty) putBaseline(tx, next.epoch);
        return isEmpty;
      },
      { durable: true },
    );
    if (!isNew) return current.epoch;
    if (empty) this.#ledger.setAllClean(next.epoch);
    this.#install(next);
    await this.#forgetMaps();
    return next.epoch;
  }

  #install(next: ClusterMap): void {
    const { current, older } = this.#history;
    const [from, to] = [current.epoch, next.epoch];
    invariant(to > from, "a cluster map replaces an older one", { from, to });
    this.#replacedAtMs.set(current.epoch, this.#clock.monotonicMs());
    this.#history = { current: next, older: this.#needed(next, [current, ...older]) };
    const states = next.nodes.map((node) => `${node.id} ${node.state}`);
    this.#log.info({ epoch: next.epoch, states }, "new cluster map");
    for (const listener of this.#listeners) listener(this.#history);
  }

  #needed(current: ClusterMap, older: readonly ClusterMap[]): ClusterMap[] {
    const recentMs = this.#clock.monotonicMs() - MAP_HISTORY_GRACE_MS;
    const isRecent = (map: ClusterMap): boolean =>
      (this.#replacedAtMs.get(map.epoch) ?? 0) >= recentMs;
    const oldestClean = this.#ledger.oldestCleanEpoch();
    const needed = neededMaps(current, older, oldestClean, isRecent, MAX_MAP_HISTORY);
    this.#completeSince = completeSince(this.#completeSince, current, older, needed);
    return needed;
  }

  /** Drops maps that are no longer needed, from memory and from the store. */
  async #forgetMaps(): Promise<void> {
    const { current, older } = this.#history;
    const needed = this.#needed(current, older);
    if (needed.length < older.length) this.#history = { current, older: needed };
    const kept = new Set([current.epoch, ...needed.map((map) => map.epoch)]);
    const gone = [...this.#replacedAtMs.keys()].filter((epoch) => !kept.has(epoch));
    if (gone.length === 0) return;
    for (const epoch of gone) this.#replacedAtMs.delete(epoch);
    await this.#engine.transact((tx) => {
      for (const epoch of gone) tx.delete(keys.clusterMap(epoch));
    });
  }
}

function withNode(
  nodes: readonly MapNode[],
  id: NodeId,
  { url, zone, weight }: RegisterNode,
): readonly MapNode[] {
  const known = nodes.find((node) => node.id === id);
  const state = known === undefined ? "up" : stateAfterSign(known.state);
  const registered: MapNode = { id, url, zone, weight, state };
  if (known === undefined) return [...nodes, registered];
  return nodes.map((node) => (node.id === id ? registered : node));
}

function withState(
  nodes: readonly MapNode[],
  id: NodeId,
  state: MapNode["state"],
): readonly MapNode[] {
  return nodes.map((node) => (node.id === id && node.state !== state ? { ...node, state } : node));
}
