// A machine that an engine runs on, for tests: its processes are killed, its power is cut, and its
// time is told.
import { LmdbEngine } from "../../meta/engine/lmdb-engine.ts";
import type { LmdbEngineOptions } from "../../meta/engine/engine-files.ts";
import { systemRandom } from "../../platform/random.ts";
import { MemoryDisk, type DiskHooks } from "../disk/memory-disk.ts";
import { FakeClock } from "../fake-clock.ts";
import type { SeededRandom } from "../seeded-random.ts";
import { storesOn } from "../store/disk-store.ts";

/** Longer than commits take to be on disk by themselves, and noted to be. */
const SETTLED_AFTER_MS = 1000;

export class EngineMachine {
  readonly directory = "/machine/data/meta";
  readonly clock = new FakeClock();
  readonly disk: MemoryDisk;
  #process = { alive: false };

  constructor(disk = new MemoryDisk()) {
    this.disk = disk;
  }

  /** Another one with a disk of the same content. */
  copy(): EngineMachine {
    return new EngineMachine(this.disk.copy());
  }

  /** Starts an engine as a process has it. The one before must be closed or dead. */
  open(options: Partial<LmdbEngineOptions> = {}, hooks: DiskHooks = {}): Promise<LmdbEngine> {
    const process = { alive: true };
    this.#process = process;
    const disk = this.disk.view({
      fault: (call) => (process.alive ? hooks.fault?.(call) : "EIO"),
      // What a dead process has asked for is never done, and nobody hears of it.
      pause: (...call) =>
        process.alive ? (hooks.pause?.(...call) ?? DONE) : new Promise(() => undefined),
    });
    return LmdbEngine.open({
      directory: this.directory,
      clock: this.clock,
      disk,
      openStore: storesOn(disk),
      random: systemRandom,
      ...options,
    });
  }

  /** As kill -9: what was written stays. */
  kill(): void {
    this.#process.alive = false;
  }

  /** What was never synced is lost; with `random` some of it, torn. */
  cut(random?: SeededRandom): void {
    this.kill();
    this.disk.cut(random);
  }

  /** Time passes, with nothing to do. */
  async settle(): Promise<void> {
    await this.clock.advance(SETTLED_AFTER_MS);
  }

  get journals(): string[] {
    return this.disk.paths.filter((path) => /journal-[0-9]+$/.test(path)).sort();
  }

  /** Every file with its bytes, to be compared. */
  content(): Record<string, string> {
    return Object.fromEntries(
      this.disk.paths.map((path) => [path, this.disk.readWholeSync(path).toString("latin1")]),
    );
  }

  truncate(path: string, sizeBytes: number): void {
    this.disk.reopenSync(path).truncateSync(sizeBytes);
  }
}

const DONE = Promise.resolve();
