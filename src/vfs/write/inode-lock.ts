// Orders the writes of one inode (shared) against truncation and other changes (exclusive), first
// come first served.

interface Waiter {
  exclusive: boolean;
  enter: () => void;
}

export class InodeLock {
  #sharers = 0;
  #held = false;
  readonly #queue: Waiter[] = [];

  /** A sharer could enter at once and, if it doesn't wait inside, needn't enter at all. */
  get open(): boolean {
    return !this.#held && this.#queue.length === 0;
  }

  async shared<T>(body: () => Promise<T>): Promise<T> {
    if (this.open) this.#sharers += 1;
    else await this.#wait(false);
    try {
      return await body();
    } finally {
      this.#sharers -= 1;
      this.#advance();
    }
  }

  async exclusive<T>(body: () => Promise<T>): Promise<T> {
    if (this.open && this.#sharers === 0) this.#held = true;
    else await this.#wait(true);
    try {
      return await body();
    } finally {
      this.#held = false;
      this.#advance();
    }
  }

  #wait(exclusive: boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#queue.push({ exclusive, enter: resolve });
    });
  }

  #advance(): void {
    for (;;) {
      const next = this.#queue[0];
      if (next === undefined || this.#held) return;
      if (next.exclusive && this.#sharers > 0) return;
      this.#queue.shift();
      if (next.exclusive) this.#held = true;
      else this.#sharers += 1;
      next.enter();
    }
  }
}
