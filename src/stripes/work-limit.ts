// Bounds work under way: those that don't fit wait their turn, first come first served.

interface Waiter {
  weight: number;
  admit: () => void;
}

export class WorkLimit {
  readonly #waiting: Waiter[] = [];
  #free: number;
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#free = capacity;
  }

  /**
   * Runs `work` when its weight fits; a weight above the capacity counts as the whole of it.
   * @throws the signal's reason when it is aborted while waiting
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

  #wait(weight: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        weight,
        admit: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal?.reason as Error);
        this.#admitNext();
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(waiter);
    });
  }

  #admitNext(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (next.weight > this.#free) return;
      this.#waiting.shift();
      this.#free -= next.weight;
      next.admit();
    }
  }
}
