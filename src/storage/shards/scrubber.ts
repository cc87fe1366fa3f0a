// A node's own slow check of everything it keeps: shard after shard at a set pace, for ever, going
// on where the last start left off. What doesn't match is set aside and reported by the store.
import type { ShardId } from "../../domain/ids.ts";
import { SCRUB_BATCH_BYTES, SCRUB_PASS_INTERVAL_MS } from "./limits.ts";
import type { Log } from "../../observability/log.ts";
import { nextTurn, type Clock } from "../../platform/clock.ts";
import { readShardKey, SHARD_KEY_BYTES, shardKey } from "../../protocol/shard/shard-key.ts";
import type { ShardStore } from "./shard-store.ts";

export interface ScrubberOptions {
  store: ShardStore;
  clock: Clock;
  log: Log;
  /** Reading pace; more than 0. */
  bytesPerSecond: number;
}

/** Name of the scrub's position among the store's walks. */
const WALK = "scrub";

export class Scrubber implements AsyncDisposable {
  readonly #options: ScrubberOptions;
  readonly #stopped = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: ScrubberOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run().catch((error: unknown) => {
      if (!this.#stopped.signal.aborted) this.#options.log.error({ err: error }, "scrub failed");
    });
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(): Promise<void> {
    const { store, clock, log } = this.#options;
    const { signal } = this.#stopped;
    const leftovers = await store.sweepLeftovers(signal);
    if (leftovers > 0) log.info({ leftovers }, "removed files that a crash had left");
    let position = decodePosition(store.walkPosition(WALK));
    for (;;) {
      const next = await this.#checkSome(position);
      await store.keepWalkPosition(WALK, encodePosition(next));
      if (next === undefined) await clock.sleep(SCRUB_PASS_INTERVAL_MS, signal);
      position = next;
    }
  }

  /** Checks about SCRUB_BATCH_BYTES from behind `after`, in as long as the pace asks for. */
  async #checkSome(after: ShardId | undefined): Promise<ShardId | undefined> {
    const { store, clock, bytesPerSecond } = this.#options;
    const { signal } = this.#stopped;
    const startMs = clock.monotonicMs();
    let at = after;
    let checkedBytes = 0;
    while (checkedBytes < SCRUB_BATCH_BYTES) {
      const shard = store.next(at);
      at = shard?.id;
      if (shard === undefined) break;
      await store.secure([shard.id], "every", signal);
      await nextTurn(clock);
      checkedBytes += shard.sizeBytes;
    }
    const dueMs = startMs + (checkedBytes / bytesPerSecond) * 1000;
    await clock.sleep(Math.max(0, dueMs - clock.monotonicMs()), signal);
    return at;
  }
}

function encodePosition(id: ShardId | undefined): Buffer {
  return id === undefined ? Buffer.alloc(1) : shardKey(id);
}

function decodePosition(bytes: Buffer | undefined): ShardId | undefined {
  return bytes?.length === SHARD_KEY_BYTES ? readShardKey(bytes, 0) : undefined;
}
