// Bounds work under way: what doesn't fit waits its turn, first come first served.

interface Waiter {
  readonly share: number;
  readonly admit: () => void;
}

/** How many may wait, and what those beyond are told. */
export interface WaitBound {
  readonly maxWaiting: number;
  readonly refusal: () => Error;
}

export class WorkLimit {
  readonly #waiting: Waiter[] = [];
  #free: number;
  readonly #capacity: number;
  readonly #bound: WaitBound | undefined;

  /** Without a bound as many may wait as come: whoever gives the work bounds it. */
  constructor(capacity: number, bound?: WaitBound) {
    this.#capacity = capacity;
    this.#free = capacity;
    this.#bound = bound;
  }

  /**
   * Runs `work` when its weight fits, at once where it can; a weight above the capacity counts as
   * the whole of it.
   * @throws the bound's refusal when too many wait; the signal's reason when it ends the wait
   */
  async run<T>(
    weight: number,
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    const share = Math.min(weight, this.#capacity);
    if (this.#waiting.length === 0 && this.#free >= share) this.#free -= share;
    else await this.#wait(share, signal);
    try {
      return await work();
    } finally {
      this.#free += share;
      this.#admitNext();
    }
  }

  #wait(share: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#bound !== undefined && this.#waiting.length >= this.#bound.maxWaiting) {
      throw this.#bound.refusal();
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        share,
        admit: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal?.reason as Error); // an abort's reason is an Error throughout
        this.#admitNext();
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(waiter);
    });
  }

  #admitNext(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (next.share > this.#free) return;
      this.#waiting.shift();
      this.#free -= next.share;
      next.admit();
    }
  }
}
