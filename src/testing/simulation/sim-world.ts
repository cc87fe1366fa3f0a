// The machines of a run and what starts them: one metadata server, storage nodes and clients, each
// started again some time after it ended.
import { crc32 } from "node:zlib";
import { PolicyCodecs } from "../../codec/policy-codecs.ts";
import { silentLog, type Log } from "../../observability/log.ts";
import { seededRandom, type SeededRandom } from "../seeded-random.ts";
import { ClientMachine } from "./client-machine.ts";
import { Judge } from "./judge.ts";
import { Machine, type SimProcess } from "./machine.ts";
import { MetadataMachine } from "./metadata-machine.ts";
import { Network } from "./network.ts";
import { NodeMachine } from "./node-machine.ts";
import type { Plan } from "./plan.ts";
import { ShardWatch } from "./shard-watch.ts";
import type { Timeline } from "./timeline.ts";

/** Between an end and the next start, where nobody said otherwise. */
const RESTART_MS = 1000;
const META_ADDRESS = "http://meta.sim:7400";
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
  /** Makes the log of a process. */
  readonly log: (process: SimProcess) => Log;
  /** Machines that are not started again, until they are taken off. */
  readonly kept = new Set<Machine>();
  /** How long those machines stay off that end now. */
  readonly #downForMs = new Map<Machine, number>();
  readonly #watch: ShardWatch;

  constructor(plan: Plan, timeline: Timeline, log: (process: SimProcess) => Log = () => silentLog) {
    this.plan = plan;
    this.timeline = timeline;
    this.log = log;
    this.random = seededRandom(plan.seed + 1);
    this.judge = new Judge(timeline, plan.seed, { isMild: plan.isMild, parity: 2 });
    this.network = new Network(timeline, seededRandom(plan.seed + 2));
    this.#watch = new ShardWatch(this.judge.broken);
    this.server = new MetadataMachine({
      ...this.#parts("meta"),
      address: META_ADDRESS,
      timings: { nodeOutAfterMs: plan.nodeOutAfterMs, pgCount: plan.pgCount },
      checkpointBytes: plan.checkpointBytes,
    });
    this.nodes = Array.from({ length: plan.nodes }, (_, index) => this.#node(`node${index}`));
    this.clients = Array.from({ length: plan.clients }, (_, index) => this.newClient(index));
  }

  newClient(index: number): ClientMachine {
    return new ClientMachine({
      ...this.#parts(`client${index}`),
      metaAddress: META_ADDRESS,
      token: () => this.server.token,
    });
  }

  get machines(): Machine[] {
    return [this.server, ...this.nodes, ...this.clients].map(({ machine }) => machine);
  }

  /** Starts everything, and from now on starts again what ends. */
  async start(): Promise<void> {
    const server = this.server.start();
    await this.until(server, 20_000, "the metadata server starts");
    await this.until(
      Promise.all(this.nodes.map((node) => node.start())),
      20_000,
      "the nodes start",
    );
    this.#superviseAll();
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
    for (const startable of [this.server, ...this.nodes]) this.#supervise(startable);
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
      if (this.kept.has(machine)) {
        this.#startAfter(startable, RESTART_MS);
        return;
      }
      startable.start().catch((error: unknown) => {
        // Its process is dead, and so it is started again.
        this.timeline.note(`${machine.name} doesn't start: ${String(error)}`);
      });
    });
  }

  #node(name: string): NodeMachine {
    return new NodeMachine({
      ...this.#parts(name),
      metaAddress: META_ADDRESS,
      watch: this.#watch,
    });
  }

  #parts(name: string) {
    const seed = this.plan.seed * 31 + crc32(name);
    const machine = new Machine(name, this.timeline, seed);
    return { machine, network: this.network, codecs: CODECS, log: this.log };
  }
}
