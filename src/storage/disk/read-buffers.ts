// The buffers that shards are read into on their way out: a fixed number, used again and again.
import { MAX_READ_BUFFERS, READ_BUFFER_BYTES } from "./limits.ts";

export class ReadBuffers {
  readonly #free: Buffer[] = [];
  readonly #waiting: ((buffer: Buffer) => void)[] = [];
  /** Those that are lent and count no more. */
  readonly #withdrawn = new Set<Buffer>();
  #made = 0;

  /** A buffer of READ_BUFFER_BYTES; waits while all are in use. Give it back with `give`. */
  take(): Buffer | Promise<Buffer> {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#made < MAX_READ_BUFFERS) return this.#make();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  give(buffer: Buffer): void {
    if (this.#withdrawn.delete(buffer)) return;
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(buffer);
    else next(buffer);
  }

  /**
   * Who has the buffer will have it for long: another one may be made in its place. Whoever calls
   * this bounds how many there are.
   */
  withdraw(buffer: Buffer): void {
    if (this.#withdrawn.has(buffer)) return;
    this.#withdrawn.add(buffer);
    this.#made--;
    const next = this.#waiting.shift();
    if (next !== undefined) next(this.#make());
  }

  #make(): Buffer {
    this.#made++;
    return Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
  }
}
