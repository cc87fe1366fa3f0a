// What was committed reaches the disk by itself, and the database is told of it: so that a journal
// that is cut short below what was durable shows, whichever part of it is gone.
import type { Clock } from "../../platform/clock.ts";
import { COMMITS_ON_DISK_WITHIN_MS } from "./limits.ts";

export interface SettlingOptions {
  readonly clock: Clock;
  /** Resolves when all that was committed before is on disk. */
  readonly flush: () => Promise<void>;
  /** Up to which all is on disk. */
  readonly durablePosition: () => number;
  /** Keeps a position where a later start finds it; false where it has no room for now. */
  readonly note: (position: number) => Promise<boolean>;
  /** Neither flush nor note may fail. */
  readonly fail: (error: unknown) => void;
}

export class Settling {
  readonly #options: SettlingOptions;
  #noted: number;
  #cancel: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  /** @param position what is noted already */
  constructor(options: SettlingOptions, position: number) {
    this.#options = options;
    this.#noted = position;
  }

  /** Something was committed. */
  wake(): void {
    if (this.#cancel !== undefined || this.#closed) return;
    // The other half of the time is the disk's.
    this.#cancel = this.#options.clock.after(COMMITS_ON_DISK_WITHIN_MS / 2, this.#settle);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#running;
  }

  readonly #settle = (): void => {
    this.#cancel = undefined;
    // A slow disk has one of these flushes at a time.
    if (this.#running !== undefined) {
      this.wake();
      return;
    }
    this.#running = this.#flushAndNote()
      .catch(this.#options.fail)
      .finally(() => (this.#running = undefined));
  };

  async #flushAndNote(): Promise<void> {
    const { flush, durablePosition, note } = this.#options;
    await flush();
    const durable = durablePosition();
    if (durable === this.#noted) return;
    if (await note(durable)) this.#noted = durable;
    else this.wake();
  }
}
