// One run from one seed: a cluster comes up, clients work while things go wrong, everything is put
// right, and then all that was promised must be there.
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { isFsError } from "../../domain/errno.ts";
import { invariant } from "../../domain/invariant.ts";
import { ROOT_INO, type Name, type NodeId } from "../../domain/ids.ts";
import type { Log } from "../../observability/log.ts";
import { seededRandom, type SeededRandom } from "../seeded-random.ts";
import type { ClientMachine, SimMount } from "./client-machine.ts";
import { ContentOracle, type OracleNode } from "./content-oracle.ts";
import type { Machine, SimProcess } from "./machine.ts";
import { Nemesis } from "./nemesis.ts";
import { planOf, type FaultKind, type Plan } from "./plan.ts";
import { Program } from "./programs.ts";
import { nameOf, SimFiles, type SimFile } from "./sim-files.ts";
import { SimWorld } from "./sim-world.ts";
import { Timeline } from "./timeline.ts";
import { readWhole } from "./whole-reads.ts";

/** Programs whose operation waits for a dead session's locks, and for retries, are done by then. */
const CALM_MS = 150_000;
/** Faults are over, so that repair and gc end within this. */
const CLEAN_MS = 400_000;
const LOOK_MS = 1000;
const LOOK_LIMIT_MS = 60_000;
const TIDY_LOOK_MS = 20_000;
/** Share of the runs in which the cluster becomes clean while mounts live. */
const STAY_MOUNTED = 0.25;
/** So long after a machine's start the metadata server knows that it is there. */
const NOTICE_MS = 8000;
const REMOUNT_MS = 2000;
/** Clients have mounted by then. */
const MOUNT_MS = 200;
/** The server may sleep for most of it. */
const UNMOUNT_MS = 150_000;
/** Those that come back after a power cut serve within this. */
const POWER_BACK_MS = 30_000;
/** Of the pool that a cluster begins with. */
const PARITY = 2;

export interface Outcome {
  readonly seed: number;
  readonly plan: Plan;
  /** What was promised and wasn't kept. */
  readonly findings: readonly string[];
  /** The same for every run of the seed. */
  readonly hash: string;
  readonly events: number;
  readonly virtualMs: number;
  /** The end of the history, or all of it. */
  readonly lines: readonly string[];
}

export interface SimulationOptions {
  readonly keepAll?: boolean;
  readonly log?: (process: SimProcess) => Log;
  /** Kinds of fault; else the seed chooses them. */
  readonly faults?: readonly FaultKind[] | undefined;
}

/** The run that is under way, for what only the process hears of. */
let running: Simulation | undefined;

/** An exception that nobody caught, while a simulation runs. False when none does. */
export function uncaughtInSimulation(error: unknown): boolean {
  return running?.uncaught(error) ?? false;
}

export async function simulate(seed: number, options: SimulationOptions = {}): Promise<Outcome> {
  const simulation = new Simulation(planOf(seed, options.faults), options);
  running = simulation;
  try {
    return await simulation.run();
  } finally {
    running = undefined;
  }
}

class Simulation {
  readonly #plan: Plan;
  readonly #timeline = new Timeline();
  readonly #world: SimWorld;
  readonly #files: SimFiles;
  readonly #programs: { process: SimProcess; program: Program; ended: boolean }[] = [];
  #mayGoOn = true;
  /** The one whose disk may lie and rot. */
  #badNode: Machine | undefined;

  constructor(plan: Plan, { keepAll = false, log }: SimulationOptions) {
    this.#plan = plan;
    this.#timeline.keepAll = keepAll;
    this.#world = new SimWorld(plan, this.#timeline, log);
    this.#files = new SimFiles(plan.seed, seededRandom(plan.seed + 3));
  }

  uncaught(error: unknown): boolean {
    const { actor } = this.#timeline;
    if (actor?.isAlive === false) return true;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#world.judge.broken(`uncaught: ${text}`);
    actor?.kill();
    return true;
  }

  async run(): Promise<Outcome> {
    const { judge } = this.#world;
    try {
      await this.#steps();
    } catch (error) {
      judge.broken(`the run ended: ${error instanceof Error ? error.stack : String(error)}`);
    }
    const { hash, events, nowMs, lines } = this.#timeline;
    this.#world.end();
    const { findings } = judge;
    const { seed } = this.#plan;
    return { seed, plan: this.#plan, findings, hash, events, virtualMs: nowMs, lines };
  }

  async #steps(): Promise<void> {
    const world = this.#world;
    await world.start();
    for (const client of world.clients) this.#mount(client);
    await world.pass(MOUNT_MS);
    Object.assign(world.network.temper, this.#plan.network);
    const nemesis = new Nemesis(world, seededRandom(this.#plan.seed + 4));
    this.#badNode = nemesis.badNode;
    nemesis.start();
    await world.pass(this.#plan.busyMs);
    if (this.#plan.endsInCut) nemesis.cutAll();
    nemesis.end();
    this.#mayGoOn = false;
    await this.#endPrograms();
    // Nothing waits for a mount to go away, garbage neither.
    if (world.random.chance(STAY_MOUNTED)) await this.#becomeClean(world.random.chance(0.3));
    await this.#unmountAll();
    if (world.judge.findings.length > 0) return;
    await this.#becomeClean();
    if (world.judge.findings.length > 0) return;
    await this.#checkAll();
    if (world.judge.findings.length > 0) return;
    await this.#losePower();
    await this.#checkAll();
  }

  /** Everywhere at once; as many nodes never come back as redundancy covers. */
  async #losePower(): Promise<void> {
    const { server, nodes, judge, random, kept, lost, watch } = this.#world;
    this.#timeline.note("power is lost everywhere");
    // One node's disk may hold what is spoilt and nobody has read since: it counts as lost.
    const away = lost.size > 0 ? 0 : random.below(this.#spoils ? PARITY : PARITY + 1);
    const left = [...nodes];
    while (kept.size < away) kept.add(takeAny(random, left).machine);
    judge.serverLostPower(server.machine.name);
    watch.serverLostPower();
    server.machine.cut(random);
    for (const { machine } of nodes) {
      judge.nodeLostPower(machine.name);
      machine.cut(random);
    }
    const limitMs = this.#timeline.nowMs + POWER_BACK_MS;
    await this.#timeline.run(() => server.parts !== undefined && this.#areBack(), limitMs);
    // Now and then those that stay away are known to be down.
    await this.#world.pass(random.pick([100, 1000, 1000, NOTICE_MS]));
  }

  #areBack(): boolean {
    const { nodes, kept, lost } = this.#world;
    return nodes.every(
      ({ machine, running }) => running !== undefined || kept.has(machine) || lost.has(machine),
    );
  }

  /** Mounts, and again whenever the client's process has died. */
  #mount(client: ClientMachine): void {
    client.machine.ended = () => {
      this.#timeline.after(REMOUNT_MS, `${client.machine.name} starts`, () => this.#mount(client));
    };
    if (!this.#mayGoOn || client.machine.process !== undefined) return;
    client.start().then(
      (mount) => this.#runPrograms(mount),
      (error: unknown) => this.#timeline.note(`${client.machine.name}: ${String(error)}`),
    );
  }

  #runPrograms(mount: SimMount): void {
    const { process } = mount;
    const { judge } = this.#world;
    mount.meta.on("sessionLost", () => judge.lostSession(process));
    for (let number = 0; number < this.#plan.programs; number++) {
      const program = new Program({
        mount,
        files: this.#files,
        judge,
        random: seededRandom(process.machine.random.below(2 ** 31)),
        hasLargeFiles: this.#plan.hasLargeFiles,
        maxFiles: this.#plan.maxFiles,
        pauseMs: this.#plan.pauseMs,
        mayGoOn: () => this.#mayGoOn,
      });
      const entry = { process, program, ended: false };
      this.#programs.push(entry);
      program.run().then(
        () => (entry.ended = true),
        (error: unknown) => {
          entry.ended = true;
          judge.broken(`${process.name}: ${error instanceof Error ? error.stack : String(error)}`);
        },
      );
    }
  }

  /** Everybody ends what he is at. */
  async #endPrograms(): Promise<void> {
    const busy = (): boolean =>
      this.#programs.some(({ process, ended }) => process.isAlive && !ended);
    await this.#timeline.run(() => !busy(), this.#timeline.nowMs + CALM_MS);
    for (const { process, program, ended } of this.#programs) {
      if (ended || !process.isAlive) continue;
      this.#world.judge.broken(`${process.name} never ends: ${program.doing}`);
    }
  }

  async #unmountAll(): Promise<void> {
    const { clients, judge } = this.#world;
    for (const { mount, machine } of clients) {
      if (mount?.process.isAlive !== true) continue;
      try {
        const closing = mount.close();
        if (!(await this.#world.until(closing, UNMOUNT_MS, `${machine.name} unmounts`))) return;
        const { nowMs } = this.#timeline;
        for (const { history } of this.#files.all) {
          history.synced(mount.process, nowMs, judge.asOf(nowMs));
        }
      } catch (error) {
        // What it could not write is told.
        if (!isFsError(error) || judge.isMild) throw error;
      }
      mount.process.kill();
    }
  }

  /** Nothing waits for repair any more; nor for gc, `andTidy`. */
  async #becomeClean(andTidy = false): Promise<void> {
    const { server, nodes, judge, lost } = this.#world;
    const endMs = this.#timeline.nowMs + CLEAN_MS;
    // Until it has heard of all, a server that has just started may think that they are there.
    const machines = [server, ...nodes].map(({ machine }) => machine);
    const isKnown = (machine: Machine): boolean =>
      lost.has(machine) || machine.awakeForMs > NOTICE_MS;
    const areKnown = (): boolean => this.#areBack() && machines.every(isKnown);
    while (!areKnown() && this.#timeline.nowMs < endMs) {
      await this.#world.pass(LOOK_MS);
    }
    // Redundancy covers a node that is gone for good; what waits for it waits in vain.
    if (lost.size > 0) return;
    const dirty = (): number => {
      const { parts } = server;
      if (parts === undefined) return Infinity;
      if (parts.cluster.current().nodes.some(({ state }) => state !== "up")) return Infinity;
      // What was never durable may be gone, and its group waits for it in vain.
      const gone = judge.mayBeUnreadable() ? parts.jobs.report().unreadableBlocks : 0;
      return Math.max(0, parts.cluster.groups.dirty().length - gone);
    };
    while (dirty() > 0 && this.#timeline.nowMs < endMs) await this.#world.pass(LOOK_MS);
    if (dirty() > 0) judge.broken(`${dirty()} groups are never clean`);
    else if (!judge.mayBeUnreadable()) await this.#lookAtNodes();
    if (andTidy) await this.#becomeTidy();
  }

  /** What was deleted leaves the nodes. */
  async #becomeTidy(): Promise<void> {
    const endMs = this.#timeline.nowMs + CLEAN_MS;
    let left = Infinity;
    while (left > 0 && this.#timeline.nowMs < endMs) {
      await this.#world.pass(TIDY_LOOK_MS);
      const counting = this.#oracle()?.garbage();
      if (counting === undefined) return;
      if (!(await this.#world.until(counting, LOOK_LIMIT_MS, "a look for garbage"))) return;
      left = await counting;
    }
    if (left > 0) this.#world.judge.broken(`${left} deleted blocks never leave the nodes`);
  }

  /** Clean means whole, and that redundancy has nothing used up. */
  async #lookAtNodes(): Promise<void> {
    const { server, judge } = this.#world;
    const survives = server.parts?.cluster.groups.survivableLosses() ?? PARITY;
    if (survives < PARITY) judge.broken(`all is clean, but only ${survives} nodes may be lost`);
    const looking = this.#oracle()?.firstWrong();
    if (looking === undefined) return;
    if (!(await this.#world.until(looking, LOOK_LIMIT_MS, "a look at all shards"))) return;
    const wrong = await looking;
    if (wrong !== undefined) judge.broken(`all is clean, but ${wrong}`);
  }

  #oracle(): ContentOracle | undefined {
    const { server, nodes, watch } = this.#world;
    const { parts } = server;
    if (parts === undefined) return undefined;
    const known = new Map<NodeId, OracleNode>();
    for (const { running, store, machine } of nodes) {
      if (running === undefined || store === undefined) continue;
      known.set(running.id, { store, isBad: this.#spoils && machine === this.#badNode });
    }
    return new ContentOracle({ parts, nodes: known, watch, clusterId: parts.cluster.clusterId });
  }

  /** Some disk may hold what is not what was written. */
  get #spoils(): boolean {
    return this.#plan.faults.some((kind) => kind === "rot" || kind === "lyingFlush");
  }

  /** Another client finds everything that was promised. */
  async #checkAll(): Promise<void> {
    const client = this.#world.newClient(this.#world.clients.length);
    const mounting = client.start();
    if (!(await this.#world.until(mounting, 30_000, "a last mount"))) return;
    const mount = await mounting;
    for (const file of this.#files.all) {
      const checked = this.#checkFile(mount, file);
      if (!(await this.#world.until(checked, 60_000, `a last look at ${nameOf(file)}`))) return;
    }
    mount.process.kill();
  }

  async #checkFile({ vfs }: SimMount, file: SimFile): Promise<void> {
    const { judge } = this.#world;
    const asOf = judge.asOf(this.#timeline.nowMs);
    const names = file.history.possibleNames(asOf);
    const found = [];
    for (const name of new Set(names)) {
      if (name === undefined) continue;
      try {
        const { ino } = await vfs.lookup(ROOT_CALLER, ROOT_INO, name as Name); // as it was given
        if (file.ino === undefined || ino === file.ino) found.push(ino);
      } catch (error) {
        if (!isFsError(error, "ENOENT")) throw error;
      }
    }
    const [ino] = found;
    if (ino === undefined) {
      if (!names.includes(undefined)) judge.broken(`${names.join(" or ")} is gone`);
      return;
    }
    try {
      const wrong = file.history.wrongIn(await readWhole(vfs, ino), asOf);
      if (wrong !== undefined) judge.broken(`${nameOf(file)} in the end: ${wrong}`);
    } catch (error) {
      if (!isFsError(error)) throw error;
      const isExcused = judge.mayBeUnreadable() && !file.history.isDurable;
      if (!isExcused) judge.broken(`${nameOf(file)} in the end: ${error.code} ${error.message}`);
    }
  }
}

function takeAny<T>(random: SeededRandom, from: T[]): T {
  const [taken] = from.splice(random.below(from.length), 1);
  invariant(taken !== undefined, "there is one left");
  return taken;
}
