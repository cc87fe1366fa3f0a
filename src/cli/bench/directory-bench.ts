// What a program sees of a directory, the mount's or any other: the same calls on both.
// Synchronous calls on purpose: this process serves nobody, and the calls themselves are measured.
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { benchEntries, type EntriesBenchSizes } from "./entries-bench.ts";
import { type BenchTarget, machineCpuSeconds, type Metric, timeSeconds } from "./metric.ts";
import { noise, randomNumbers } from "./noise.ts";

const MIB = 1024 * 1024;
const SMALL_BYTES = 4096;
/** How the offsets of the random reads are drawn: the same ones in every run. */
const RANDOM_SEED = 12_345;

/** Of the file that small synced writes go to. */
const SYNCED_FILE_BYTES = 64 * MIB;

export interface DirectoryBenchSizes extends EntriesBenchSizes {
  fileMib: number;
  smallFiles: number;
  randomReads: number;
  syncedWrites: number;
}

export class DirectoryBench {
  readonly #target: BenchTarget;
  readonly #sizes: DirectoryBenchSizes;
  readonly #work: string;

  constructor(target: BenchTarget, sizes: DirectoryBenchSizes) {
    this.#target = target;
    this.#sizes = sizes;
    this.#work = join(target.directory, ".dfs-bench");
  }

  async run(): Promise<Metric[]> {
    mkdirSync(this.#work);
    const metrics = [
      ...(await this.#sequentialWrite()),
      ...(await this.sequentialRead("sequential read, cold")),
      await this.#randomRead(),
      ...(await this.#smallFiles()),
      await this.#makeDirectories(),
      await this.#syncedWrites(),
      ...(await benchEntries(this.#target, this.#work, this.#sizes)),
    ];
    return metrics;
  }

  cleanUp(): void {
    rmSync(this.#work, { recursive: true, force: true });
  }

  get #bigFile(): string {
    return join(this.#work, "big");
  }

  #metric(name: string, value: number, unit: string): Metric {
    return { subject: this.#target.subject, name, value, unit };
  }

  async #withCpu(name: string, work: () => void): Promise<Metric[]> {
    const mib = this.#sizes.fileMib;
    const cpuBefore = await machineCpuSeconds();
    const seconds = await timeSeconds(work);
    const cpuSeconds = (await machineCpuSeconds()) - cpuBefore;
    return [
      this.#metric(name, mib / seconds, "MiB/s"),
      this.#metric(`${name}: CPU`, cpuSeconds / (mib / 1024), "s/GiB"),
    ];
  }

  #sequentialWrite(): Promise<Metric[]> {
    const buffer = noise(16 * MIB);
    return this.#withCpu("sequential write", () => {
      const fd = openSync(this.#bigFile, "w");
      for (let i = 0; i < this.#sizes.fileMib; i += 1) {
        writeSync(fd, buffer, (i % 16) * MIB, MIB);
      }
      fsyncSync(fd);
      closeSync(fd);
    });
  }

  /** Also run with nodes dead: the degraded read. */
  async sequentialRead(name: string): Promise<Metric[]> {
    await this.#target.cold();
    const buffer = Buffer.alloc(MIB);
    return this.#withCpu(name, () => {
      const fd = openSync(this.#bigFile, "r");
      while (readSync(fd, buffer, 0, MIB, null) > 0);
      closeSync(fd);
    });
  }

  async #randomRead(): Promise<Metric> {
    await this.#target.cold();
    const { fileMib, randomReads } = this.#sizes;
    const buffer = Buffer.alloc(SMALL_BYTES);
    const draw = randomNumbers(RANDOM_SEED);
    const seconds = await timeSeconds(() => {
      const fd = openSync(this.#bigFile, "r");
      for (let i = 0; i < randomReads; i += 1) {
        const position = (draw() % ((fileMib * MIB) / SMALL_BYTES)) * SMALL_BYTES;
        readSync(fd, buffer, 0, SMALL_BYTES, position);
      }
      closeSync(fd);
    });
    return this.#metric("random read of 4 KiB, cold", randomReads / seconds, "1/s");
  }

  async #smallFiles(): Promise<Metric[]> {
    const count = this.#sizes.smallFiles;
    const directory = join(this.#work, "small");
    const content = noise(SMALL_BYTES);
    mkdirSync(directory);
    const writeSeconds = await timeSeconds(() => {
      for (let i = 0; i < count; i += 1) writeFileSync(join(directory, `file-${i}`), content);
    });
    await this.#target.cold();
    const readSeconds = await timeSeconds(() => {
      for (const name of readdirSync(directory)) readFileSync(join(directory, name));
    });
    return [
      this.#metric("files of 4 KiB created", count / writeSeconds, "1/s"),
      this.#metric("files of 4 KiB read, cold", count / readSeconds, "1/s"),
    ];
  }

  /** Into a file of its own, so that reads of the big one don't meet what this leaves. */
  async #syncedWrites(): Promise<Metric> {
    const count = this.#sizes.syncedWrites;
    const path = join(this.#work, "synced");
    const content = noise(SYNCED_FILE_BYTES);
    const draw = randomNumbers(RANDOM_SEED);
    writeFileSync(path, content);
    const fd = openSync(path, "r+");
    fsyncSync(fd);
    const seconds = await timeSeconds(() => {
      for (let i = 0; i < count; i += 1) {
        const position = (draw() % (SYNCED_FILE_BYTES / SMALL_BYTES)) * SMALL_BYTES;
        writeSync(fd, content, 0, SMALL_BYTES, position);
        fsyncSync(fd);
      }
    });
    closeSync(fd);
    rmSync(path);
    return this.#metric("random write of 4 KiB with fsync", count / seconds, "1/s");
  }

  async #makeDirectories(): Promise<Metric> {
    const count = this.#sizes.smallFiles;
    const directory = join(this.#work, "directories");
    mkdirSync(directory);
    const seconds = await timeSeconds(() => {
      for (let i = 0; i < count; i += 1) mkdirSync(join(directory, `directory-${i}`));
    });
    return this.#metric("directories created", count / seconds, "1/s");
  }
}
