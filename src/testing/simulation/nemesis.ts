// Makes things go wrong, as the plan says: now and then one of its faults, for a while.
import type { SeededRandom } from "../seeded-random.ts";
import type { Machine } from "./machine.ts";
import type { NodeMachine } from "./node-machine.ts";
import type { FaultKind } from "./plan.ts";
import type { SimWorld } from "./sim-world.ts";

/** A mild plan's faults end before the next begins, and the cluster has time to notice. */
const MILD_RECOVERY_MS = 12_000;

/** Of a copied node that isn't served where the node was. */
const ELSEWHERE_PORT = 7499;

/** What was written so long ago is on disk, and what was written since says so. */
const FLIP_SYNCED_MS = 400;
/** The server has refused to start with it by then. */
const FLIP_PUT_BACK_MS = 5000;

export class Nemesis {
  readonly #world: SimWorld;
  readonly #random: SeededRandom;
  /** The node whose disk may lose what it has: one, since a write may stand with one to spare. */
  readonly badNode: Machine;
  readonly #faults: Readonly<Record<FaultKind, () => void>>;
  #isOver = false;

  constructor(world: SimWorld, random: SeededRandom) {
    this.#world = world;
    this.#random = random;
    this.badNode = random.pick(world.nodes).machine;
    const losses: readonly FaultKind[] = ["lyingFlush", "rot", "nodeRollback", "nodeCopy"];
    if (losses.some((kind) => world.plan.faults.includes(kind))) world.badNode = this.badNode;
    this.#faults = this.#makeFaults();
  }

  start(recoveryMs = 0): void {
    const { faults, faultPauseMs, isMild } = this.#world.plan;
    if (faults.length === 0) return;
    const pauseMs = recoveryMs + this.#random.below(2 * faultPauseMs);
    this.#world.timeline.after(pauseMs, "nemesis", () => {
      if (this.#isOver) return;
      const kind = this.#random.pick(faults);
      this.#world.timeline.note(`nemesis: ${kind}`);
      this.#faults[kind]();
      this.start(isMild ? MILD_RECOVERY_MS : 0);
    });
  }

  cutAll(): void {
    for (const machine of this.#world.machines) this.#cut(machine);
  }

  /** Nothing goes wrong any more, and what does is put right. */
  end(): void {
    this.#isOver = true;
    this.#endCopy();
    const { network, machines } = this.#world;
    network.heal();
    Object.assign(network.temper, { loss: 0, doubling: 0, straying: 0 });
    for (const { temper, disk } of machines) {
      temper.fault = undefined;
      temper.slowness = 1;
      disk.limit(undefined);
    }
  }

  #makeFaults(): Readonly<Record<FaultKind, () => void>> {
    const { server } = this.#world;
    return {
      nodeCrash: () => this.#crash(this.#someNode()),
      nodeCut: () => this.#cut(this.#someNode()),
      nodeStop: () => this.#stopNode(),
      serverCrash: () => this.#crash(server.machine),
      serverCut: () => this.#cut(server.machine),
      serverStop: () => void server.stop(),
      clientCrash: () => this.#crash(this.#random.pick(this.#world.clients).machine),
      cutWay: () => this.#cutWay(),
      hold: () => this.#some().hold(this.#random.below(8000), false),
      sleep: () => this.#some().hold(this.#random.below(90_000), true),
      clockStep: () => {
        this.#some().skewMs += this.#random.below(200_000) - 100_000;
      },
      slowDisk: () => this.#slowDisk(),
      fullDisk: () => this.#fullDisk(),
      failingFlush: () => this.#flush("EIO"),
      lyingFlush: () => this.#flush("lie"),
      rot: () => this.#rot(),
      nodeRollback: () => this.#rollBack(),
      nodeCopy: () => this.#copyNode(),
      siteCut: () => this.cutAll(),
      swapPorts: () => this.#swapPorts(),
      strangerAtPort: () => this.#strangerAtPort(),
      journalFlip: () => this.#journalFlip(),
      crashAtDisk: () => {
        const { process } = this.#some();
        if (process !== undefined) process.diskCallsLeft = 1 + this.#random.below(60);
      },
    };
  }

  #someNode(): Machine {
    return this.#random.pick(this.#world.nodes).machine;
  }

  /** Clients have no disk, and only nodes are what redundancy covers. */
  #some(): Machine {
    const { plan, server } = this.#world;
    if (plan.isMild || this.#random.chance(0.6)) return this.#someNode();
    return this.#random.chance(0.5)
      ? server.machine
      : this.#random.pick(this.#world.clients).machine;
  }

  #crash(machine: Machine): void {
    this.#world.downFor(machine, this.#downMs());
    machine.crash();
  }

  #cut(machine: Machine): void {
    const { judge, server, nodes, watch } = this.#world;
    if (machine === server.machine) {
      judge.serverLostPower(machine.name);
      watch.serverLostPower();
    }
    if (nodes.some((node) => node.machine === machine)) judge.nodeLostPower(machine.name);
    this.#world.downFor(machine, this.#downMs());
    machine.cut(this.#random);
  }

  #stopNode(): void {
    const node = this.#random.pick(this.#world.nodes);
    this.#world.downFor(node.machine, this.#downMs());
    void node.stop();
  }

  /** Each comes back at the address of the other. */
  #swapPorts(): void {
    const [one, other] = [
      this.#random.pick(this.#world.nodes),
      this.#random.pick(this.#world.nodes),
    ];
    if (one === other) return;
    [one.wantedPort, other.wantedPort] = [other.port, one.port];
    // Neither finds its new address taken.
    const downMs = 200 + this.#random.below(3000);
    for (const { machine } of [one, other]) {
      this.#world.downFor(machine, downMs);
      machine.crash();
    }
  }

  /** A node of another cluster stands where one of ours was. */
  #strangerAtPort(): void {
    const { stranger, nodes } = this.#world;
    if (stranger === undefined) return;
    const node = this.#random.pick(nodes);
    stranger.wantedPort = node.port;
    this.#world.downFor(node.machine, 1000 + this.#random.below(4000));
    node.machine.crash();
    this.#world.downFor(stranger.machine, this.#random.below(500));
    stranger.machine.crash();
  }

  /**
   * A bit of the journal flips while the server is down: of what was on disk before other records
   * were, so that it can be noticed. Where it is, somebody puts the byte back.
   */
  #journalFlip(): void {
    const { server, timeline } = this.#world;
    const before = journalEnds(server.machine);
    timeline.after(FLIP_SYNCED_MS, "journal flips", () => {
      const { disk, temper } = server.machine;
      const { faults } = this.#world.plan;
      const mayLag = faults.some(
        (kind) => kind === "slowDisk" || kind === "sleep" || kind === "hold",
      );
      if (this.#isOver || temper.slowness > 1 || mayLag) return;
      this.#cut(server.machine);
      const grown = [...journalEnds(server.machine)].filter(
        ([path, end]) => end > (before.get(path) ?? Infinity),
      );
      if (grown.length === 0) return;
      const [path] = this.#random.pick(grown);
      const { served } = server;
      const [at, mask] = [this.#random.below(before.get(path) ?? 1), 1 << this.#random.below(8)];
      disk.spoil(path, at, mask);
      this.#world.timeline.note(`bit ${mask} of byte ${at} of ${path} flips`);
      const putBack = (): void => {
        if (server.served !== served || disk.factsSync(path) === undefined) return;
        this.#world.timeline.note(`byte ${at} of ${path} is put back`);
        disk.spoil(path, at, mask);
      };
      timeline.after(FLIP_PUT_BACK_MS, "journal is put back", putBack);
    });
  }

  /** Mostly a restart, sometimes a repair of the machine. */
  #downMs(): number {
    if (this.#random.chance(0.7)) return this.#random.below(4000);
    return this.#random.below(this.#world.plan.isMild ? 10_000 : 40_000);
  }

  #cutWay(): void {
    const { network, timeline, machines } = this.#world;
    const [one, other] = [this.#random.pick(machines), this.#random.pick(machines)];
    if (this.#random.chance(0.5)) network.cut(one, other);
    network.cut(other, one);
    timeline.after(this.#random.below(20_000), "heals", () => network.heal());
  }

  #slowDisk(): void {
    const { temper } = this.#some();
    temper.slowness = this.#random.pick([10, 100, 1000]);
    this.#world.timeline.after(this.#random.below(10_000), "disk is quick", () => {
      temper.slowness = 1;
    });
  }

  #fullDisk(): void {
    const { disk } = this.#some();
    disk.limit(disk.usedBytes + this.#random.below(50_000));
    const roomAgain = (): void => disk.limit(undefined);
    this.#world.timeline.after(this.#random.below(15_000), "disk has room", roomAgain);
  }

  #flush(fault: "EIO" | "lie"): void {
    const { temper } = this.badNode;
    const random = this.#random;
    temper.fault = ({ what }) =>
      (what === "datasync" || what === "sync") && random.chance(0.5) ? fault : undefined;
    this.#world.timeline.after(this.#random.below(5000), "disk is well", () => {
      temper.fault = undefined;
    });
  }

  /** The node's disk becomes what it was a while ago. */
  #rollBack(): void {
    const node = this.#world.nodes.find(({ machine }) => machine === this.badNode);
    if (node?.running === undefined) return;
    const image = this.badNode.disk.copy();
    this.#world.timeline.after(300 + this.#random.below(2500), "an image is put back", () => {
      if (this.#isOver) return;
      this.#crash(this.badNode);
      this.#world.judge.nodeLostPower(this.badNode.name);
      this.badNode.disk.restore(image);
    });
  }

  /** A copy of the node's data directory is served beside it, or in its place for a while. */
  #copyNode(): void {
    const { twin, nodes, timeline, judge } = this.#world;
    const node = nodes.find(({ machine }) => machine === this.badNode);
    if (twin === undefined || twin.machine.process !== undefined) return;
    if (node?.running === undefined) return;
    twin.machine.disk.restore(this.badNode.disk.copy());
    twin.wantedPort = this.#random.chance(0.5) ? ELSEWHERE_PORT : undefined;
    if (this.#random.chance(0.6)) {
      this.#world.downFor(this.badNode, this.#random.below(12_000));
      this.badNode.crash();
    }
    judge.nodeLostPower(this.badNode.name);
    timeline.after(this.#random.below(1500), "a copy is served", () => {
      if (this.#isOver || twin.machine.process !== undefined) return;
      const refused = (error: unknown): void => timeline.note(`the copy: ${String(error)}`);
      twin.start().then(() => this.#lookAtCopy(node, twin), refused);
    });
    timeline.after(1500 + this.#random.below(8000), "the copy ends", () => this.#endCopy());
  }

  /** Of two that serve as one node the first stays. */
  #lookAtCopy(node: NodeMachine, twin: NodeMachine): void {
    const { plan, server, judge } = this.#world;
    // Nothing else may have kept it from being heard.
    if (plan.network.loss > 0 || plan.faults.some((kind) => kind !== "nodeCopy")) return;
    const known = server.parts?.cluster.current().nodes.find(({ id }) => id === node.id);
    if (node.running === undefined || known?.url !== twin.running?.url) return;
    judge.broken(`a copy of ${node.machine.name} has taken its place, while it serves`);
  }

  #endCopy(): void {
    const { twin, judge } = this.#world;
    if (twin?.machine.process === undefined) return;
    twin.machine.crash();
    judge.nodeLostPower(this.badNode.name);
  }

  #rot(): void {
    const { disk } = this.badNode;
    const files = disk.paths.filter((path) => path.startsWith("/node/shards/"));
    if (files.length === 0) return;
    const path = this.#random.pick(files);
    const sizeBytes = disk.factsSync(path)?.sizeBytes ?? 0;
    if (sizeBytes > 0) disk.spoil(path, this.#random.below(sizeBytes), 1 << this.#random.below(8));
  }
}

/** Where their records end, or a little before: behind them is room. */
function journalEnds({ disk }: Machine): Map<string, number> {
  const journals = disk.paths.filter((path) => path.startsWith("/meta/journal-"));
  const endOf = (path: string): number =>
    disk.readWholeSync(path).findLastIndex((byte) => byte !== 0) + 1;
  return new Map(journals.map((path) => [path, endOf(path)]));
}
