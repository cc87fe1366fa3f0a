// A metadata server without sockets over nodes in memory, with the jobs that keep shards in order:
// files of a block each, nodes that die, rot and come back.
import { EngineSliceLedger } from "../../app/engine-slice-ledger.ts";
import { sharedAbort } from "../../platform/flow/abort.ts";
import { StripeCodec } from "../../codec/stripe-codec.ts";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import type { MapNode, Pool } from "../../domain/cluster-map.ts";
import {
  ROOT_INO,
  type Ino,
  type Name,
  type NodeId,
  type ShardId,
  type SliceId,
} from "../../domain/ids.ts";
import { toName } from "../../domain/name.ts";
import { GcJob } from "../../jobs/gc-job.ts";
import type { PassOutcome } from "../../jobs/job.ts";
import { NodeCalls } from "../../jobs/node-calls.ts";
import { GroupRepair } from "../../jobs/repair/group-repair.ts";
import { LostBlocks } from "../../jobs/repair/lost-blocks.ts";
import { RepairJob } from "../../jobs/repair/repair-job.ts";
import { ShardCheck } from "../../jobs/repair/shard-check.ts";
import { SurveyJob } from "../../jobs/repair/survey-job.ts";
import type { GroupKey } from "../../meta/cluster/group-ledger.ts";
import { gcBacklog, nextDeath, oldestDeath } from "../../meta/namespace/tombstones.ts";
import type { Session } from "../../meta/session/session-registry.ts";
import { silentLog } from "../../observability/log.ts";
import { homeNodes, placementGroupOf, writeTargets } from "../../placement/placement.ts";
import type { DamageReport, MetaService } from "../../protocol/meta/meta-service.ts";
import type { ShardVerdict } from "../../protocol/shard/shard-service.ts";
import type { RebuildTools } from "../../storage/shards/shard-rebuild.ts";
import { FakeClock } from "../fake-clock.ts";
import { beat, join, leave, nodeId, register } from "../meta/joined-nodes.ts";
import { openLocalMeta, type LocalMeta } from "../meta/meta-server.ts";
import { present } from "../present.ts";
import { ClusterNode } from "../shard/shard-cluster.ts";
import type { ShardMethod } from "../shard/shard-faults.ts";
import { MemoryShardService } from "../shard/shard-memory.ts";
import { verdictOf } from "../shard/shard-service-conformance.ts";
import { TEST_SEAL } from "../shard/test-name.ts";

const BLOCK_LENGTH_BYTES = 100_000;
/** The clock of a waiting world moves so far at a time, when nothing else has happened. */
const STEP_MS = 100;
const TURNS_A_STEP = 20;

/** A file of one block. */
export interface BlockFile {
  readonly name: Name;
  readonly ino: Ino;
  readonly slice: SliceId;
  readonly group: GroupKey;
}

export interface RepairWorldOptions {
  /** That shards outlive their slices; none unless said. */
  graceMs?: number;
  pgCount?: number;
}

export class RepairWorld {
  readonly clock: FakeClock;
  readonly meta: LocalMeta;
  readonly nodes: readonly ClusterNode[];
  readonly ledger: EngineSliceLedger;
  readonly calls: NodeCalls;
  readonly repair: GroupRepair;
  readonly repairJob: RepairJob;
  readonly surveyJob: SurveyJob;
  readonly gcJob: GcJob;
  readonly #service: MetaService & { readonly session: Session };
  /** Of the threads that rebuild. */
  readonly #decoding: { busy: number };
  #ids: SliceId[] = [];
  #files = 0;

  private constructor(
    clock: FakeClock,
    meta: LocalMeta,
    nodes: readonly ClusterNode[],
    service: MetaService & { readonly session: Session },
    graceMs: number,
    decoding: { busy: number },
  ) {
    this.#decoding = decoding;
    this.clock = clock;
    this.meta = meta;
    this.nodes = nodes;
    this.#service = service;
    const { cluster, engine } = meta;
    const log = silentLog;
    const ledger = new EngineSliceLedger(engine, clock, graceMs);
    const calls = new NodeCalls((node) => this.node(node.id), clock);
    const check = new ShardCheck(calls, TEST_SEAL, log);
    const repair = new GroupRepair({ groups: cluster.groups, ledger, calls, check, log });
    this.ledger = ledger;
    this.calls = calls;
    this.repair = repair;
    this.repairJob = new RepairJob({ cluster, calls, repair });
    const lost = new LostBlocks({ ledger, calls, groups: cluster.groups });
    this.surveyJob = new SurveyJob({ cluster, ledger, calls, repair, lost, clock });
    this.gcJob = new GcJob({ ledger, cluster, calls, clock, log });
  }

  /** Six nodes, all up and empty. */
  static async make(options: RepairWorldOptions = {}): Promise<RepairWorld> {
    const { pgCount = 4, graceMs = 0 } = options;
    const clock = new FakeClock();
    const meta = await openLocalMeta({ clock, pgCount });
    const nodes: ClusterNode[] = [];
    const decoding = { busy: 0 };
    const tools: RebuildTools = {
      connect: ({ node }) => present(nodes.find(({ id }) => id === node)),
      reconstruct: async (policy, sources, targets) => {
        decoding.busy += 1;
        await new StripeCodec(policy).reconstruct(sources, targets).finally(() => {
          decoding.busy -= 1;
        });
      },
    };
    for (let index = 1; index <= 6; index++) {
      nodes.push(new ClusterNode(nodeId(index), new MemoryShardService({ tools })));
    }
    await join(meta, 6);
    return new RepairWorld(clock, meta, nodes, await meta.newSession(), graceMs, decoding);
  }

  get pool(): Pool {
    return present(this.meta.cluster.current().pools[0]);
  }

  get session(): Session {
    return this.#service.session;
  }

  node(id: NodeId): ClusterNode {
    return present(this.nodes.find((node) => node.id === id));
  }

  /** The same nodes and metadata under a new process, with which no node has registered yet. */
  async restartServer(): Promise<RepairWorld> {
    const { clock, nodes } = this;
    for (const node of nodes) node.calls.length = 0;
    const meta = await openLocalMeta({ clock, engine: this.meta.engine });
    return new RepairWorld(clock, meta, nodes, await meta.newSession(), 0, this.#decoding);
  }

  callsOf(method: ShardMethod): number {
    return this.nodes.reduce((sum, node) => sum + node.callsOf(method), 0);
  }

  /** Heartbeats of all nodes but some. */
  async beatAll(...silent: ClusterNode[]): Promise<void> {
    const heard = this.nodes.filter((node) => !silent.includes(node));
    await beat(this.meta, ...heard.map((node) => this.nodes.indexOf(node) + 1));
  }

  /** By slot, the nodes the file's shards belong to. */
  homesOf({ group }: BlockFile): ClusterNode[] {
    const { cluster } = this.meta;
    return homeNodes(cluster.current(), this.pool, group.pg).map((home) =>
      this.node(present(home).id),
    );
  }

  shardOf({ slice, group }: BlockFile, slot: number): ShardId {
    return { ...group, slice, index: 0, slot };
  }

  /** Puts a block's shards where a client would now; `write` does it and makes a file of it. */
  async putBlock(id?: SliceId): Promise<Pick<BlockFile, "slice" | "group">> {
    const slice = id ?? (await this.#takeId());
    const group = { pool: this.pool.id, pg: placementGroupOf(this.pool, slice, 0) };
    const targets = writeTargets(this.meta.cluster.current(), this.pool, group.pg);
    await this.#put({ slice, group }, targets);
    return { slice, group };
  }

  async write(): Promise<BlockFile> {
    const { slice, group } = await this.putBlock();
    const name = toName(`f${this.#files++}`);
    const { attr } = await this.#service.create(
      ROOT_CALLER,
      ROOT_INO,
      name,
      { mode: 0o100644 },
      false,
    );
    const extent = {
      chunk: 0,
      posInChunk: 0,
      lengthBytes: BLOCK_LENGTH_BYTES,
      slice,
      pool: this.pool.id,
    };
    await this.#service.commit({
      ino: attr.ino,
      extents: [extent],
      minSizeBytes: BLOCK_LENGTH_BYTES,
      mtime: { sec: attr.mtimeSec, nsec: attr.mtimeNsec },
      durable: false,
      killPrivileges: false,
    });
    await this.#service.release([attr.ino]);
    return { name, ino: attr.ino, slice, group };
  }

  async unlink({ name }: BlockFile): Promise<void> {
    await this.#service.unlink(ROOT_CALLER, ROOT_INO, name);
  }

  /** Its process is dead, and the cluster knows. */
  async kill(...nodes: ClusterNode[]): Promise<void> {
    for (const node of nodes) {
      node.kill();
      await leave(this.meta, this.nodes.indexOf(node) + 1);
    }
  }

  async revive(...nodes: ClusterNode[]): Promise<void> {
    for (const node of nodes) {
      node.heal();
      await register(this.meta, this.nodes.indexOf(node) + 1);
      await beat(this.meta, this.nodes.indexOf(node) + 1);
    }
  }

  /** Puts a copy of the shard on another node, as a change of the map leaves it behind. */
  async copy(file: BlockFile, slot: number, to: ClusterNode): Promise<ShardId> {
    const id = this.shardOf(file, slot);
    const target = Buffer.alloc(BLOCK_LENGTH_BYTES);
    const { memory } = present(this.homesOf(file)[slot]);
    const { bytes, cellCrcs } = await memory.get(id, 0, target);
    await to.memory.put(id, { bytes, cellCrcs });
    return id;
  }

  /** A shard vanishes from its home. */
  async lose(file: BlockFile, slot: number): Promise<void> {
    await present(this.homesOf(file)[slot]).memory.deleteMany([this.shardOf(file, slot)]);
  }

  /** What the node finds when it reads the shard. */
  verdictAt(node: ClusterNode, id: ShardId): Promise<ShardVerdict> {
    return verdictOf(node.memory, id);
  }

  /** Shards of the file that stand at home, and copies elsewhere. */
  where(file: Pick<BlockFile, "slice" | "group">): { atHome: number; elsewhere: number } {
    const homes = homeNodes(this.meta.cluster.current(), this.pool, file.group.pg);
    let atHome = 0;
    let elsewhere = 0;
    for (const node of this.nodes) {
      for (const { slot } of node.shardsOf({ slice: file.slice, index: 0 })) {
        if (homes[slot]?.id === node.id) atHome++;
        else elsewhere++;
      }
    }
    return { atHome, elsewhere };
  }

  async report(file: BlockFile, slot: number, kind: DamageReport["kind"]): Promise<void> {
    const node = present(this.homesOf(file)[slot]).id;
    await this.#service.reportDamage([{ shard: this.shardOf(file, slot), kind, node }]);
  }

  /** Reports that wait for their answer. */
  get reports(): number {
    return this.meta.cluster.groups.waiting().reports;
  }

  get dirty(): number {
    return this.meta.cluster.groups.dirty().length;
  }

  isDirty({ pg }: GroupKey): boolean {
    return this.meta.cluster.groups.dirty().some((group) => group.pg === pg);
  }

  /** Dead slices of which the node may still have shards. */
  async backlogOf({ id }: ClusterNode): Promise<number> {
    return await this.meta.engine.read((tx) => present(gcBacklog(tx, [id]).get(id)));
  }

  /** Tombstones that there are. */
  async buried(): Promise<number> {
    return await this.meta.engine.read((tx) => nextDeath(tx) - oldestDeath(tx));
  }

  /** One pass of repair. Time passes while it waits for a node that hangs. */
  pass(): Promise<PassOutcome> {
    return this.#inTime(this.repairJob.pass(signal()));
  }

  collect(): Promise<PassOutcome> {
    return this.#inTime(this.gcJob.pass(signal()));
  }

  /** Steps of the survey until it rests; what it rests with. */
  async survey(): Promise<PassOutcome> {
    for (;;) {
      const outcome = await this.#inTime(this.surveyJob.pass(signal()));
      if (typeof outcome === "string" || "idleForMs" in outcome) return outcome;
    }
  }

  async #put(file: Pick<BlockFile, "slice" | "group">, targets: readonly (MapNode | undefined)[]) {
    const codec = new StripeCodec(this.pool);
    const stripe = await codec.encode(Buffer.alloc(BLOCK_LENGTH_BYTES, file.slice % 251));
    for (const [slot, bytes] of stripe.shards.entries()) {
      const id = { ...file.group, slice: file.slice, index: 0, slot };
      const cellCrcs = TEST_SEAL.mask(id, present(stripe.cellCrcs[slot]));
      await this.node(present(targets[slot]).id).put(id, { bytes, cellCrcs });
    }
    stripe.release();
  }

  async #takeId(): Promise<SliceId> {
    if (this.#ids.length === 0) {
      const { first, count } = await this.#service.allocateSlices();
      this.#ids = Array.from({ length: count }, (_, at) => (first + at) as SliceId);
    }
    return present(this.#ids.shift());
  }

  /** Lets time pass while the work waits for it; coding runs in threads that it must not outrun. */
  async #inTime<T>(work: Promise<T>): Promise<T> {
    const state = { settled: false };
    const done = work.finally(() => (state.settled = true));
    done.catch(() => undefined);
    while (!state.settled) {
      for (let turn = 0; turn < TURNS_A_STEP; turn++) await new Promise(setImmediate);
      if (this.#decoding.busy === 0) await this.clock.advance(STEP_MS);
    }
    return await done;
  }
}

function signal(): AbortSignal {
  return sharedAbort().signal;
}
