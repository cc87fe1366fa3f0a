// Work that goes on beside everything else from its start until it is closed.

export interface RoutineWork {
  /** Rejects with nothing that anybody expects; ends soon after `signal`. */
  run(signal: AbortSignal): Promise<void>;
}

export class Routine implements AsyncDisposable {
  readonly #work: RoutineWork;
  readonly #stopped = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(work: RoutineWork) {
    this.#work = work;
  }

  start(): void {
    this.#running = this.#work.run(this.#stopped.signal);
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
