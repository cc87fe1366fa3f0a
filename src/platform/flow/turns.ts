// One after the other, in the order they came: for one thing, or for each of many by its key.

export class Turns {
  #last: Promise<unknown> | undefined;

  /** True while something runs or waits. */
  get busy(): boolean {
    return this.#last !== undefined;
  }

  /** Runs `work` when all earlier work has ended, well or not; at once when there is none. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const mine = before === undefined ? work() : before.then(work, work);
    this.#last = mine;
    try {
      return await mine;
    } finally {
      if (this.#last === mine) this.#last = undefined;
    }
  }
}

export class KeyedTurns<K> {
  readonly #byKey = new Map<K, Turns>();

  async run<T>(key: K, work: () => Promise<T>): Promise<T> {
    let turns = this.#byKey.get(key);
    if (turns === undefined) {
      turns = new Turns();
      this.#byKey.set(key, turns);
    }
    try {
      return await turns.run(work);
    } finally {
      // A later turn may have come, or gone, meanwhile.
      if (!turns.busy && this.#byKey.get(key) === turns) this.#byKey.delete(key);
    }
  }
}
