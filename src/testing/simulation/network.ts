// The network between machines: who listens where, and messages that are delayed, lost, doubled,
// overtaken, or held while a way is cut. Streams and requests are built on it elsewhere.
import { setMaxListeners } from "node:events";
import type { FsError } from "../../domain/errno.ts";
import { connectionError } from "../../protocol/shard/shard-exchange.ts";
import type { SeededRandom } from "../seeded-random.ts";
import type { Machine, SimProcess } from "./machine.ts";
import type { Timeline } from "./timeline.ts";

/** One way, without load: up to twice that. */
const LATENCY_MS = 0.15;
/** Until a request to a machine that isn't there is given up by its own kernel. */
const CONNECT_TIMEOUT_MS = 5000;

/** What someone who listens can be asked; kinds of requests are functions over it. */
export interface Endpoint {
  readonly process: SimProcess;
}

export interface NetworkTemper {
  /** Share of requests that are lost on the way there or back. */
  loss: number;
  /** Share of requests that arrive a second time, later. */
  doubling: number;
  /** Share of messages that take long, and how long. */
  straying: number;
  strayMs: number;
}

export interface RequestOptions<T> {
  readonly from: SimProcess;
  readonly address: string;
  readonly label: string;
  /** Any of them ends it; one of many that live on in no other signal. */
  readonly signals: readonly (AbortSignal | undefined)[];
  /** Asks who listens there, in its process. */
  readonly serve: (endpoint: Endpoint) => Promise<T>;
}

export class Network {
  readonly temper: NetworkTemper = { loss: 0, doubling: 0, straying: 0, strayMs: 0 };
  readonly #timeline: Timeline;
  readonly #random: SeededRandom;
  readonly #endpoints = new Map<string, Endpoint>();
  /** The machine that had the address last. */
  readonly #hosts = new Map<string, Machine>();
  /** Ways that are cut: from one machine to another. */
  readonly #cuts = new Set<string>();
  #held: { from: Machine; to: Machine; go: () => void }[] = [];

  constructor(timeline: Timeline, random: SeededRandom) {
    this.#timeline = timeline;
    this.#random = random;
  }

  isTaken(address: string): boolean {
    return this.#endpoints.has(address);
  }

  /** Until the process dies or what is returned is called. */
  listen(address: string, endpoint: Endpoint): () => void {
    this.#endpoints.set(address, endpoint);
    this.#hosts.set(address, endpoint.process.machine);
    const stop = (): void => {
      if (this.#endpoints.get(address) === endpoint) this.#endpoints.delete(address);
    };
    endpoint.process.onDeath(stop);
    return stop;
  }

  cut(from: Machine, to: Machine): void {
    this.#cuts.add(`${from.name} ${to.name}`);
  }

  /** Everything that was held goes on. */
  heal(): void {
    this.#cuts.clear();
    const held = this.#held;
    this.#held = [];
    for (const { from, to, go } of held) this.carry(from, to, go);
  }

  isCut(from: Machine, to: Machine): boolean {
    return this.#cuts.has(`${from.name} ${to.name}`);
  }

  /** `arrive` is called when a message has come from one machine to the other. */
  carry(from: Machine, to: Machine, arrive: () => void): void {
    if (from !== to && this.isCut(from, to)) {
      this.#held.push({ from, to, go: arrive });
      return;
    }
    this.#timeline.after(this.#delayMs(), `${from.name}>${to.name}`, () => {
      // The cut came while it was on its way.
      if (from !== to && this.isCut(from, to)) this.#held.push({ from, to, go: arrive });
      else arrive();
    });
  }

  /** @throws FsError ECONNREFUSED, and what `serve` throws; the signal's reason */
  request<T>(options: RequestOptions<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const { from, signals } = options;
      let settled = false;
      const settle = (how: () => void): void => {
        if (settled) return;
        settled = true;
        forget();
        for (const signal of signals) signal?.removeEventListener("abort", onAbort);
        how();
      };
      // Nobody hears of it any more.
      const forget = from.onDeath(() => settle(() => undefined));
      const onAbort = (): void => {
        const aborted = signals.find((signal) => signal?.aborted === true);
        settle(() => reject(aborted?.reason as Error)); // the caller's own
      };
      if (signals.some((signal) => signal?.aborted === true)) {
        onAbort();
        return;
      }
      for (const signal of signals) {
        if (signal === undefined) continue;
        // A node is asked for many things at once.
        setMaxListeners(0, signal);
        signal.addEventListener("abort", onAbort, { once: true });
      }
      this.#send(options, {
        isWanted: () => !settled,
        resolve: (value) => settle(() => resolve(value)),
        reject: (error) => settle(() => reject(error)),
      });
    });
  }

  #send<T>(
    options: RequestOptions<T>,
    call: { isWanted: () => boolean; resolve: (value: T) => void; reject: (error: Error) => void },
  ): void {
    const { from, address, label } = options;
    const host = this.#hosts.get(address);
    if (host === undefined) {
      from.after(this.#delayMs(), label, () => call.reject(refused(address)));
      return;
    }
    if (this.#random.chance(this.temper.loss)) return;
    const answer = (how: () => void): void => {
      if (this.#random.chance(this.temper.loss)) return;
      this.carry(host, from.machine, () => from.run(`${label} answered`, how));
    };
    const arrive = (wanted: boolean): void => {
      const endpoint = this.#endpoints.get(address);
      if (endpoint === undefined) {
        if (host.isOn) answer(() => call.reject(refused(address)));
        else from.after(CONNECT_TIMEOUT_MS, label, () => call.reject(refused(address)));
        return;
      }
      const { process } = endpoint;
      process.run(label, () => {
        const forget = process.onDeath(() => {
          // Its kernel says so, if there is one.
          if (wanted && host.isOn) answer(() => call.reject(refused(address)));
        });
        const told = (how: () => void): void => {
          forget();
          // A dead process says nothing.
          if (wanted && process.isAlive) answer(how);
        };
        options.serve(endpoint).then(
          (value) => told(() => call.resolve(value)),
          (error: unknown) => told(() => call.reject(error as Error)), // what serve throws
        );
      });
    };
    this.carry(from.machine, host, () => {
      arrive(true);
      if (!this.#random.chance(this.temper.doubling)) return;
      this.#timeline.after(this.#random.below(3000), `${label} again`, () => arrive(false));
    });
  }

  #delayMs(): number {
    const usual = LATENCY_MS * (1 + this.#random.below(1000) / 1000);
    if (!this.#random.chance(this.temper.straying)) return usual;
    return usual + (this.#random.below(1000) / 1000) * this.temper.strayMs;
  }
}

function refused(address: string): FsError {
  return connectionError(new Error(`nobody answers at ${address}`));
}
