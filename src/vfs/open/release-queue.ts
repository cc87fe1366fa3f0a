// Tells the metadata server of closed handles, many at a time and without anybody waiting.
import type { Ino } from "../../domain/ids.ts";
import { MAX_RELEASE_BATCH, RELEASE_DELAY_MS } from "./limits.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import type { MetaService } from "../../protocol/meta/meta-service.ts";

export class ReleaseQueue {
  readonly #meta: MetaService;
  readonly #clock: Clock;
  readonly #log: Log;
  #inos: Ino[] = [];
  #cancelTimer: (() => void) | undefined;
  #sending: Promise<void> | undefined;

  constructor(meta: MetaService, clock: Clock, log: Log) {
    this.#meta = meta;
    this.#clock = clock;
    this.#log = log;
  }

  add(ino: Ino): void {
    this.#inos.push(ino);
    if (this.#sending !== undefined) return;
    if (this.#inos.length >= MAX_RELEASE_BATCH) this.#begin();
    else this.#cancelTimer ??= this.#clock.after(RELEASE_DELAY_MS, () => this.#begin());
  }

  /** Resolves when the server has been told of all. */
  async drain(): Promise<void> {
    this.#begin();
    await this.#sending;
  }

  #begin(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#sending ??= this.#send();
  }

  async #send(): Promise<void> {
    while (this.#inos.length > 0) {
      const batch = this.#inos.splice(0, MAX_RELEASE_BATCH);
      try {
        await this.#meta.release(batch);
      } catch (error) {
        // The server lets go of them when the session ends.
        this.#log.warn({ err: error, count: batch.length }, "closed inodes not released");
      }
    }
    this.#sending = undefined;
  }
}
