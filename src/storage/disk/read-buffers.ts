// The buffers that shards are read into on their way out: a fixed number, used again and again.
import { MAX_READ_BUFFERS, READ_BUFFER_BYTES } from "./limits.ts";

export class ReadBuffers {
  readonly #free: Buffer[] = [];
  readonly #waiting: ((buffer: Buffer) => void)[] = [];
  #made = 0;

  /** A buffer of READ_BUFFER_BYTES; waits while all are in use. Give it back with `give`. */
  take(): Buffer | Promise<Buffer> {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#made < MAX_READ_BUFFERS) {
      this.#made++;
      return Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  give(buffer: Buffer): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(buffer);
    else next(buffer);
  }
}
