// What holds at a moment of a run, and what was found to be broken.
import type { Ino } from "../../domain/ids.ts";
import type { SimProcess } from "./machine.ts";
import type { IsBinding } from "./file-history.ts";
import type { Timeline } from "./timeline.ts";

/** A client has found a server that came back, and done again what it was promised. */
const REDO_MS = 30_000;

/** A power cut of a machine that others rely on. */
interface PowerCut {
  readonly atMs: number;
  readonly machine: string;
}

export class Judge {
  /** Seed of the cluster's stamps. */
  readonly cluster: number;
  /** No operation may fail: all faults are ones that redundancy covers. */
  readonly isMild: boolean;
  readonly findings: string[] = [];
  readonly #timeline: Timeline;
  readonly #parity: number;
  readonly #serverCuts: PowerCut[] = [];
  readonly #nodeCuts: PowerCut[] = [];
  readonly #inos = new Map<Ino, string>();
  readonly #lostSessions = new Set<object>();
  readonly #holders = new Map<string, SimProcess>();

  constructor(timeline: Timeline, cluster: number, options: { isMild: boolean; parity: number }) {
    this.#timeline = timeline;
    this.cluster = cluster;
    this.isMild = options.isMild;
    this.#parity = options.parity;
  }

  readonly broken = (what: string): void => {
    this.#timeline.note(`BROKEN ${what}`);
    this.findings.push(`${(this.#timeline.nowMs / 1000).toFixed(3)} s: ${what}`);
  };

  serverLostPower(machine: string): void {
    this.#serverCuts.push({ atMs: this.#timeline.nowMs, machine });
  }

  nodeLostPower(machine: string): void {
    this.#nodeCuts.push({ atMs: this.#timeline.nowMs, machine });
  }

  /** What was acknowledged by then, and nothing since may have taken. */
  asOf(nowMs: number): IsBinding {
    return ({ progress, atMs, sinceMs = atMs, by, isContent }) => {
      if (progress === "begun" || atMs > nowMs) return false;
      if (progress === "durable") return true;
      if (isContent && this.#nodesCutSince(Math.min(sinceMs, atMs)) > this.#parity) return false;
      const cut = this.#serverCuts.findLast((one) => one.atMs >= atMs);
      if (cut === undefined) return true;
      // Its client does it again, or is told, once it has found the server.
      return by.isAlive && !this.#lostSessions.has(by) && nowMs - cut.atMs > REDO_MS;
    };
  }

  /** Content that was never made durable may be gone. */
  mayBeUnreadable(): boolean {
    return this.#nodesCutSince(0) > this.#parity || this.#serverCuts.length > 0;
  }

  inodeMade(ino: Ino, what: string): void {
    const known = this.#inos.get(ino);
    if (known !== undefined) this.broken(`inode ${ino} was made for ${known} and for ${what}`);
    this.#inos.set(ino, what);
  }

  locked(lock: string, process: SimProcess): void {
    const holder = this.#holders.get(lock);
    if (holder?.isAlive === true) {
      this.broken(`${process.name} got ${lock}, which ${holder.name} has`);
    }
    this.#holders.set(lock, process);
  }

  unlocked(lock: string, process: SimProcess): void {
    if (this.#holders.get(lock) === process) this.#holders.delete(lock);
  }

  /** The process was told that its session, and with it its locks, are lost. */
  lostSession(process: SimProcess): void {
    this.#lostSessions.add(process);
    for (const [lock, holder] of this.#holders) {
      if (holder === process) this.#holders.delete(lock);
    }
  }

  #nodesCutSince(atMs: number): number {
    const machines = this.#nodeCuts.filter((cut) => cut.atMs >= atMs);
    return new Set(machines.map(({ machine }) => machine)).size;
  }
}
