// A machine of the simulation and the process on it. All that a process has of the world ends with
// it: a timer, a promise or a socket of a dead process never comes back.
import type { Clock } from "../../platform/clock.ts";
import type { Random } from "../../platform/random.ts";
import type { OpenStore } from "../../platform/store/ordered-store.ts";
import { MemoryDisk, type DiskCall, type DiskFault } from "../disk/memory-disk.ts";
import { seededRandom, type SeededRandom } from "../seeded-random.ts";
import { storesOn } from "../store/disk-store.ts";
import type { Timeline } from "./timeline.ts";

/** When the simulation begins, by clocks that are right. */
const EPOCH_MS = 1_700_000_000_000;
/** What `soon` takes, so that who waits for time in turns gets there. */
const TURN_MS = 0.01;
/** A call of the page cache, and one that waits for the disk. */
const CALL_MS = 0.02;
const FLUSH_MS = 2;

/** Thrown at what a dead process does; nobody ever hears of it. */
export class ProcessDeath extends Error {}

/** How a machine's disk behaves, besides storing bytes. */
export interface DiskTemper {
  fault?: ((call: DiskCall) => DiskFault | undefined) | undefined;
  /** Times slower than usual. */
  slowness: number;
}

export class Machine {
  readonly name: string;
  readonly timeline: Timeline;
  readonly random: SeededRandom;
  disk: MemoryDisk;
  readonly temper: DiskTemper = { slowness: 1 };
  process: SimProcess | undefined;
  isOn = true;
  /** A flush of its disk was answered and didn't happen. */
  hasLied = false;
  /** Told of each end of a process. */
  ended: () => void = () => undefined;
  /** Steps of the wall clock so far. */
  skewMs = 0;
  #starts = 0;
  #startedMs = 0;
  /** Monotonic clocks don't count the time that a machine sleeps. */
  #sleptMs = 0;
  /** Nothing on it happens until then: it sleeps, or its processes are stopped. */
  #heldUntilMs = 0;

  constructor(name: string, timeline: Timeline, seed: number) {
    this.name = name;
    this.timeline = timeline;
    this.random = seededRandom(seed);
    this.disk = new MemoryDisk();
  }

  get wallMs(): number {
    return EPOCH_MS + this.timeline.nowMs + this.skewMs;
  }

  get monotonicMs(): number {
    return this.timeline.nowMs - this.#sleptMs;
  }

  get heldForMs(): number {
    return Math.max(0, this.#heldUntilMs - this.timeline.nowMs);
  }

  /** Since its process was started, or it was held last; none while there is none. */
  get awakeForMs(): number {
    if (this.process === undefined) return 0;
    return this.timeline.nowMs - Math.max(this.#startedMs, this.#heldUntilMs);
  }

  /** Its processes don't run for so long; `asleep`: their clocks don't, either. */
  hold(forMs: number, asleep: boolean): void {
    this.#heldUntilMs = Math.max(this.#heldUntilMs, this.timeline.nowMs + forMs);
    if (asleep) this.#sleptMs += forMs;
  }

  /** A new process in place of one that must be dead. */
  start(): SimProcess {
    this.#starts += 1;
    this.#startedMs = this.timeline.nowMs;
    this.isOn = true;
    this.process = new SimProcess(this, `${this.name}.${this.#starts}`);
    return this.process;
  }

  /** kill -9. */
  crash(): void {
    this.process?.kill();
    this.process = undefined;
  }

  /** Power is gone until the next start; what the disk hasn't got is lost, or torn. */
  cut(random: SeededRandom): void {
    this.isOn = false;
    this.crash();
    this.disk.cut(random.chance(0.3) ? undefined : random);
    this.#heldUntilMs = 0;
  }
}

export class SimProcess {
  readonly name: string;
  readonly machine: Machine;
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: MemoryDisk;
  readonly openStore: OpenStore;
  isAlive = true;
  /** Dies at the so-manieth call of the disk from now. */
  diskCallsLeft = Infinity;
  readonly #deaths = new Set<() => void>();

  constructor(machine: Machine, name: string) {
    this.machine = machine;
    this.name = name;
    this.clock = processClock(this);
    this.random = seededDoor(machine.random);
    this.disk = machine.disk.view({
      fault: (call) => this.#beforeCall(call),
      pause: (call, when) => this.#pause(call, when),
      nowMs: () => machine.wallMs,
    });
    this.openStore = storesOn(this.disk);
  }

  /** Happens after `delayMs` unless the process is dead; later where its machine is held. */
  after(delayMs: number, label: string, run: () => void): () => void {
    const { timeline } = this.machine;
    let cancel: () => void = () => undefined;
    const happen = (): void => {
      if (!this.isAlive) return;
      const { heldForMs } = this.machine;
      if (heldForMs > 0) {
        cancel = timeline.after(heldForMs, label, happen);
        return;
      }
      timeline.actor = this;
      run();
    };
    cancel = timeline.after(delayMs, `${this.name} ${label}`, happen);
    return () => cancel();
  }

  /** Happens now, unless the process is dead; later where its machine is held. */
  run(label: string, run: () => void): void {
    if (!this.isAlive) return;
    if (this.machine.heldForMs > 0) {
      this.after(0, label, run);
      return;
    }
    this.machine.timeline.actor = this;
    run();
  }

  onDeath(listener: () => void): () => void {
    this.#deaths.add(listener);
    return () => this.#deaths.delete(listener);
  }

  kill(): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    this.machine.timeline.note(`${this.name} is dead`);
    if (this.machine.process === this) this.machine.process = undefined;
    for (const listener of this.#deaths) listener();
    this.machine.ended();
  }

  #beforeCall(call: DiskCall): DiskFault | undefined {
    this.diskCallsLeft -= 1;
    if (this.diskCallsLeft <= 0) this.kill();
    if (!this.isAlive) throw new ProcessDeath(`${this.name} is dead`);
    const fault = this.machine.temper.fault?.(call);
    if (fault === "lie") this.machine.hasLied = true;
    return fault;
  }

  /** What changes the disk may end with the process before it is told, and so has two pauses. */
  #pause({ what, path }: DiskCall, when: "before" | "after"): Promise<void> | undefined {
    const { random, temper } = this.machine;
    const isFlush = what === "sync" || what === "datasync";
    if (when === "after" && !isFlush && what !== "write" && what !== "rename") return undefined;
    if (what === "close") return undefined;
    const delayMs = (isFlush ? FLUSH_MS : CALL_MS) * temper.slowness * (random.below(1000) / 1000);
    return new Promise((resolve) => this.after(delayMs, `${what} ${path}`, resolve));
  }
}

function processClock(process: SimProcess): Clock {
  const { machine } = process;
  /** Timers follow the monotonic clock, which may have stood still meanwhile. */
  const after = (delayMs: number, label: string, callback: () => void): (() => void) => {
    const dueMs = machine.monotonicMs + delayMs;
    let cancel: () => void = () => undefined;
    const fire = (): void => {
      const leftMs = dueMs - machine.monotonicMs;
      if (leftMs > 1e-6) cancel = process.after(leftMs, label, fire);
      else callback();
    };
    cancel = process.after(delayMs, label, fire);
    return () => cancel();
  };
  return {
    nowMs: () => Math.floor(machine.wallMs),
    now: () => {
      const sec = Math.floor(machine.wallMs / 1000);
      return { sec, nsec: Math.floor((machine.wallMs - sec * 1000) * 1e6) };
    },
    monotonicMs: () => machine.monotonicMs,
    after: (delayMs, callback) => after(delayMs, "timer", callback),
    soon: (callback) => void after(TURN_MS, "soon", callback),
    sleep: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(signal.reason as Error); // that of whoever gave the signal
          return;
        }
        const leave = (): void => {
          forget();
          signal?.removeEventListener("abort", onAbort);
        };
        const forget = process.onDeath(() => leave());
        const onAbort = (): void => {
          cancel();
          leave();
          reject(signal?.reason as Error); // as above
        };
        const cancel = after(delayMs, "sleep", () => {
          leave();
          resolve();
        });
        signal?.addEventListener("abort", onAbort, { once: true });
      }),
  };
}

function seededDoor(random: SeededRandom): Random {
  const bytes = (count: number): Buffer =>
    Buffer.from(Array.from({ length: count }, () => random.below(256)));
  return {
    bytes,
    uuid: () =>
      bytes(16)
        .toString("hex")
        .replace(/^(.{8})(.{4}).(.{3}).(.{3})/, "$1-$2-4$3-a$4-"),
  };
}
