// The machines of a run and what starts them: one metadata server, storage nodes and clients, each
// started again some time after it ended.
import { crc32 } from "node:zlib";
import { PolicyCodecs } from "../../codec/policy-codecs.ts";
import { poolOf } from "../../domain/cluster-map.ts";
import { isFsError } from "../../domain/errno.ts";
import type { NodeId, ShardId } from "../../domain/ids.ts";
import { silentLog, type Log } from "../../observability/log.ts";
import { homeNodes } from "../../placement/placement.ts";
import { seededRandom, type SeededRandom } from "../seeded-random.ts";
import { ClientMachine } from "./client-machine.ts";
import { Judge } from "./judge.ts";
import { Machine, type SimProcess } from "./machine.ts";
import { MetadataMachine, type MetadataMachineOptions } from "./metadata-machine.ts";
import { Network } from "./network.ts";
import { NodeMachine } from "./node-machine.ts";
import type { Plan } from "./plan.ts";
import { ShardWatch } from "./shard-watch.ts";
import type { Timeline } from "./timeline.ts";

/** Between an end and the next start, where nobody said otherwise. */
const RESTART_MS = 1000;
const META_ADDRESS = "http://meta.sim:7400";
const OTHER_META_ADDRESS = "http://other.sim:7400";
/** One for all runs: it has no state but buffers. */
const CODECS = new PolicyCodecs();

interface Startable {
  readonly machine: Machine;
  start(): Promise<unknown>;
}

export class SimWorld {
  readonly plan: Plan;
  readonly timeline: Timeline;
  readonly judge: Judge;
  readonly random: SeededRandom;
  readonly network: Network;
  readonly server: MetadataMachine;
  readonly nodes: readonly NodeMachine[];
  readonly clients: readonly ClientMachine[];
  /** Of another cluster on the same network, where the plan has one. */
  readonly stranger: NodeMachine | undefined;
  /** Where a copy of a node's data directory is served, if the plan has that. */
  readonly twin: NodeMachine | undefined;
  readonly #otherServer: MetadataMachine | undefined;
  /** Makes the log of a process. */
  readonly log: (process: SimProcess) => Log;
  /** The one whose disk may lose or spoil what it has, where there is such a one. */
  badNode: Machine | undefined;
  /** Machines that are not started again, until they are taken off. */
  readonly kept = new Set<Machine>();
  /** Nodes that refuse to start for what their disks have lost, though they had said otherwise. */
  readonly lost = new Set<Machine>();
  /** How long those machines stay off that end now. */
  readonly #downForMs = new Map<Machine, number>();
  readonly watch: ShardWatch;

  constructor(plan: Plan, timeline: Timeline, log: (process: SimProcess) => Log = () => silentLog) {
    this.plan = plan;
    this.timeline = timeline;
    this.log = log;
    this.random = seededRandom(plan.seed + 1);
    this.judge = new Judge(timeline, plan.seed, { isMild: plan.isMild, parity: 2 });
    this.network = new Network(timeline, seededRandom(plan.seed + 2));
    this.watch = new ShardWatch(this.judge.broken);
    this.server = this.#server("meta", META_ADDRESS, {
      nodes: () => this.nodes,
      homeOf: (id) => this.#homeOf(id),
      isExcused: (machine) => machine === this.badNode,
      watch: this.watch,
      broken: this.judge.broken,
    });
    this.nodes = Array.from({ length: plan.nodes }, (_, index) =>
      this.#node(`node${index}`, META_ADDRESS),
    );
    if (plan.faults.includes("strangerAtPort")) {
      this.#otherServer = this.#server("other", OTHER_META_ADDRESS);
      this.stranger = this.#node("stranger", OTHER_META_ADDRESS);
    }
    if (plan.faults.includes("nodeCopy")) this.twin = this.#node("twin", META_ADDRESS);
    this.clients = Array.from({ length: plan.clients }, (_, index) => this.newClient(index));
  }

  newClient(index: number): ClientMachine {
    return new ClientMachine({
      ...this.#parts(`client${index}`),
      metaAddress: META_ADDRESS,
      watch: this.watch,
      token: () => this.server.token,
    });
  }

  /** Of the cluster that is looked at. */
  get machines(): Machine[] {
    return [this.server, ...this.nodes, ...this.clients].map(({ machine }) => machine);
  }

  /** Starts everything, and from now on starts again what ends. */
  async start(): Promise<void> {
    const server = this.server.start();
    await this.until(server, 20_000, "the metadata server starts");
    if (this.#otherServer !== undefined) {
      await this.until(this.#otherServer.start(), 20_000, "the other metadata server starts");
    }
    const nodes = [...this.nodes, this.stranger].flatMap((node) => node?.start() ?? []);
    await this.until(Promise.all(nodes), 20_000, "the nodes start");
    this.#superviseAll();
  }

  /** Nothing of it happens any more, and what product code still holds on to holds little. */
  end(): void {
    const others = [this.#otherServer, this.stranger, this.twin].flatMap(
      (one) => one?.machine ?? [],
    );
    for (const machine of [...this.machines, ...others]) {
      machine.ended = () => undefined;
      machine.crash();
    }
    this.timeline.clear();
  }

  /** The machine's process, which ends now, comes back after so long. */
  downFor(machine: Machine, forMs: number): void {
    if (machine.process !== undefined) this.#downForMs.set(machine, forMs);
  }

  /** Lets things happen until `work` is done. False when it isn't within the time. */
  async until(work: Promise<unknown>, limitMs: number, what: string): Promise<boolean> {
    const state = { isOver: false };
    const over = (): void => {
      state.isOver = true;
    };
    work.then(over, over);
    await this.timeline.run(() => state.isOver, this.timeline.nowMs + limitMs);
    if (state.isOver) await work;
    else this.judge.broken(`not done within ${limitMs / 1000} s: ${what}`);
    return state.isOver;
  }

  async pass(forMs: number): Promise<void> {
    await this.timeline.run(() => false, this.timeline.nowMs + forMs);
  }

  #superviseAll(): void {
    for (const startable of [this.server, ...this.nodes, this.stranger]) {
      if (startable !== undefined) this.#supervise(startable);
    }
  }

  #homeOf({ pool, pg, slot }: ShardId): NodeId | undefined {
    const map = this.server.parts?.cluster.current();
    return map && homeNodes(map, poolOf(map, pool), pg)[slot]?.id;
  }

  #supervise(startable: Startable): void {
    const { machine } = startable;
    machine.ended = () => {
      const forMs = this.#downForMs.get(machine) ?? RESTART_MS;
      this.#downForMs.delete(machine);
      this.#startAfter(startable, forMs);
    };
  }

  #startAfter(startable: Startable, forMs: number): void {
    const { machine } = startable;
    this.timeline.after(forMs, `${machine.name} starts`, () => {
      if (machine.process !== undefined) return;
      if (this.lost.has(machine)) return;
      if (this.kept.has(machine)) {
        this.#startAfter(startable, RESTART_MS);
        return;
      }
      startable.start().catch((error: unknown) => {
        // Its process is dead, and so it is started again.
        this.timeline.note(`${machine.name} doesn't start: ${String(error)}`);
        if (machine.hasLied && machine !== this.server.machine && isLoss(error)) {
          this.lost.add(machine);
        }
      });
    });
  }

  #server(
    name: string,
    address: string,
    deletes?: MetadataMachineOptions["deletes"],
  ): MetadataMachine {
    const { nodeOutAfterMs, pgCount, checkpointBytes } = this.plan;
    const timings = { nodeOutAfterMs, pgCount };
    return new MetadataMachine({
      ...this.#parts(name),
      address,
      timings,
      checkpointBytes,
      deletes,
    });
  }

  #node(name: string, metaAddress: string): NodeMachine {
    return new NodeMachine({
      ...this.#parts(name),
      metaAddress,
      watch: this.watch,
    });
  }

  #parts(name: string) {
    const seed = this.plan.seed * 31 + crc32(name);
    const machine = new Machine(name, this.timeline, seed);
    return { machine, network: this.network, codecs: CODECS, log: this.log };
  }
}

/** Of what the disk had; not that another process serves as the node for now. */
function isLoss(error: unknown): boolean {
  return isFsError(error) && error.code !== "EBUSY";
}
