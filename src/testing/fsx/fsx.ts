// An exerciser after Apple's fsx: random operations on files of a mount (or of several mounts of
// one file system, in turns), each compared with a buffer in memory. The seed decides everything.
import { join } from "node:path";
import { FsxModel } from "./fsx-model.ts";
import { FsxErrno, FsxWorker } from "./fsx-worker.ts";
import { seededRandom, type SeededRandom } from "../seeded-random.ts";

const O_RDWR = 2;
const O_CREAT = 0o100;
const O_TRUNC = 0o1000;
const O_DIRECT = 0o40000;
const FALLOC_KEEP_SIZE = 1;
const FALLOC_PUNCH_HOLE = 2;
const FALLOC_ZERO_RANGE = 16;
const PAGE_BYTES = 4096;
/** Told with a failure. */
const REMEMBERED_OPERATIONS = 40;

export interface FsxOptions {
  readonly seed: number;
  readonly operations: number;
  /** Directories: the same one through each mount. Files move on to the next at every turn. */
  readonly directories: readonly string[];
  /** Where the window that is written to begins in the file: a multiple of the page size. */
  readonly base?: number;
  readonly windowBytes?: number;
  /** Longest single operation. */
  readonly maxLengthBytes?: number;
  /**
   * Operations between two turns, on the average; with one directory a turn is a close and an open.
   */
  readonly turnEvery?: number;
  /** Some opens are for direct I/O, which must not be mixed with mappings. */
  readonly direct?: boolean;
  /** Called with all files closed, every `remountEvery` operations on the average. */
  readonly remount?: () => Promise<void>;
  readonly remountEvery?: number;
}

/** How often each operation is drawn, relative to the others. */
const WEIGHTS = {
  read: 20,
  write: 20,
  append: 4,
  mapread: 10,
  mapwrite: 10,
  truncate: 6,
  punch: 6,
  zero: 5,
  allocate: 3,
  copy: 10,
  seek: 5,
  fsync: 2,
  drop: 2,
} as const;

type Operation = keyof typeof WEIGHTS;

interface FsxFile {
  readonly name: string;
  readonly model: FsxModel;
  mapDirty: boolean;
}

export class Fsx {
  readonly #options: Required<Omit<FsxOptions, "remount">> & Pick<FsxOptions, "remount">;
  readonly #random: SeededRandom;
  readonly #worker: FsxWorker;
  readonly #files: FsxFile[];
  readonly #history: string[] = [];
  readonly counts = new Map<string, number>();
  #turn = 0;
  #direct = false;
  #count = 0;

  private constructor(options: FsxOptions, worker: FsxWorker) {
    this.#options = {
      base: 0,
      windowBytes: 256 * 1024,
      maxLengthBytes: 64 * 1024,
      turnEvery: 60,
      direct: false,
      remountEvery: 2500,
      ...options,
    };
    this.#random = seededRandom(options.seed);
    this.#worker = worker;
    const { base, windowBytes } = this.#options;
    this.#files = ["0", "1"].map((name) => {
      return { name, model: new FsxModel(base, windowBytes), mapDirty: false };
    });
  }

  /**
   * @throws Error with the last operations when a byte or a size is wrong. Returns what was done
   * how often.
   */
  static async run(options: FsxOptions): Promise<ReadonlyMap<string, number>> {
    await using worker = new FsxWorker();
    const fsx = new Fsx(options, worker);
    try {
      await fsx.#all();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const last = fsx.#history.slice(-REMEMBERED_OPERATIONS).join("\n");
      throw new Error(
        `fsx seed ${options.seed}, operation ${fsx.#count}: ${message}\nthe last:\n${last}`,
        { cause: error },
      );
    }
    return fsx.counts;
  }

  async #all(): Promise<void> {
    const { operations, turnEvery, remount, remountEvery } = this.#options;
    await this.#openAll(O_TRUNC);
    for (this.#count = 1; this.#count <= operations; this.#count += 1) {
      if (this.#random.chance(1 / turnEvery)) await this.#takeTurn();
      if (remount !== undefined && this.#random.chance(1 / remountEvery)) {
        await this.#takeTurn(remount);
      }
      const file = this.#random.pick(this.#files);
      await this.#do(this.#random.weighted(WEIGHTS), file);
      await this.#checkSize(file);
    }
    await this.#takeTurn();
    await this.#closeAll();
  }

  async #do(operation: Operation, file: FsxFile): Promise<void> {
    this.counts.set(operation, (this.counts.get(operation) ?? 0) + 1);
    switch (operation) {
      case "read":
        return this.#read(file, "read");
      case "mapread":
        return this.#read(file, this.#direct ? "read" : "mapread");
      case "write":
        return this.#write(file, this.#place(), "write");
      case "mapwrite":
        return this.#mapWrite(file);
      case "append":
        return this.#append(file);
      case "truncate":
        return this.#truncate(file);
      case "punch":
        return this.#clear(file, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE);
      case "zero":
        return this.#clear(file, FALLOC_ZERO_RANGE | (this.#random.chance(0.5) ? 1 : 0));
      case "allocate":
        return this.#allocate(file);
      case "copy":
        return this.#copy(file);
      case "seek":
        return this.#seek(file);
      case "fsync":
        await this.#ask(this.#random.chance(0.5) ? "fsync" : "fdatasync", file);
        return;
      case "drop":
        await this.#ask("drop", file);
    }
  }

  /** A range of the window; often it begins or ends at a page. */
  #place(): { offset: number; length: number } {
    const { base, windowBytes, maxLengthBytes } = this.#options;
    const random = this.#random;
    const aligned = random.chance(0.3) ? PAGE_BYTES : 1;
    const from = Math.floor(random.below(windowBytes) / aligned) * aligned;
    const small = random.chance(0.3) ? 200 : maxLengthBytes;
    const wanted = Math.ceil((1 + random.below(small)) / aligned) * aligned;
    return { offset: base + from, length: Math.min(wanted, windowBytes - from) };
  }

  async #read(file: FsxFile, how: "read" | "mapread"): Promise<void> {
    const { offset, length } = this.#place();
    const expected = file.model.read(offset, length);
    if (how === "mapread" && expected.length === 0) return;
    const wanted = how === "mapread" ? expected.length : length;
    const { data } = await this.#ask(how, file, [offset, wanted]);
    requireSame(data, expected, offset);
  }

  async #write(
    file: FsxFile,
    { offset, length }: { offset: number; length: number },
    how: "write" | "mapwrite",
  ): Promise<void> {
    const data = this.#random.bytes(length);
    await this.#ask(how, file, [offset], data);
    file.model.write(offset, data);
  }

  /** A mapping doesn't make a file longer: that comes first. */
  async #mapWrite(file: FsxFile): Promise<void> {
    const place = this.#place();
    if (this.#direct) return this.#write(file, place, "write");
    const end = place.offset + place.length;
    if (end > file.model.sizeBytes) {
      await this.#ask("truncate", file, [end]);
      file.model.truncate(end);
    }
    await this.#write(file, place, "mapwrite");
    file.mapDirty = true;
    if (this.#random.chance(0.2)) await this.#settleMap(file);
  }

  async #append(file: FsxFile): Promise<void> {
    const { model } = file;
    const offset = Math.max(model.base, model.sizeBytes);
    const length = Math.min(this.#place().length, model.limit - offset);
    if (length > 0) await this.#write(file, { offset, length }, "write");
  }

  async #truncate(file: FsxFile): Promise<void> {
    const { base } = this.#options;
    // Now and then all is cut off, and the end lies before the window.
    const size = this.#random.chance(0.1) ? this.#random.below(base + 1) : this.#place().offset;
    await this.#ask("truncate", file, [size]);
    file.model.truncate(size);
  }

  async #clear(file: FsxFile, mode: number): Promise<void> {
    const { offset, length } = this.#place();
    await this.#ask("fallocate", file, [mode, offset, length]);
    file.model.clear(offset, offset + length);
    if ((mode & FALLOC_KEEP_SIZE) === 0) file.model.extend(offset + length);
  }

  async #allocate(file: FsxFile): Promise<void> {
    const { offset, length } = this.#place();
    const keep = this.#random.chance(0.3);
    await this.#ask("fallocate", file, [keep ? FALLOC_KEEP_SIZE : 0, offset, length]);
    if (!keep) file.model.extend(offset + length);
  }

  async #copy(source: FsxFile): Promise<void> {
    const { offset, length } = this.#place();
    const target = this.#random.pick(this.#files);
    const room = target.model.limit - length - target.model.base;
    const targetOffset = target.model.base + this.#random.below(room + 1);
    const expected = Buffer.from(source.model.read(offset, length));
    const overlaps = source === target && Math.abs(offset - targetOffset) < length;
    if (overlaps || expected.length === 0) return;
    const numbers = [Number(target.name), offset, targetOffset, expected.length];
    const { value } = await this.#ask("copy", source, numbers);
    if (value !== expected.length) throw new Error(`${value} bytes copied of ${expected.length}`);
    target.model.write(targetOffset, expected);
    await this.#checkSize(target);
  }

  /** What is told to be a hole must read as zeroes. */
  async #seek(file: FsxFile): Promise<void> {
    const { model } = file;
    // Pages written through a mapping are the kernel's secret until then.
    await this.#settleMap(file);
    const { offset } = this.#place();
    const hole = await this.#seekTo("hole", file, offset);
    if ((hole === undefined) !== offset >= model.sizeBytes) {
      throw new Error(`SEEK_HOLE at ${offset} of ${model.sizeBytes}: ${hole ?? "ENXIO"}`);
    }
    if (hole !== undefined && (hole < offset || hole > model.sizeBytes)) {
      throw new Error(`a hole at ${hole}, asked at ${offset} of ${model.sizeBytes}`);
    }
    const data = await this.#seekTo("data", file, offset);
    const end = data ?? Math.max(offset, model.sizeBytes);
    if (!model.isZero(offset, end)) throw new Error(`no data between ${offset} and ${end}`);
  }

  async #seekTo(to: "hole" | "data", file: FsxFile, offset: number): Promise<number | undefined> {
    try {
      return (await this.#ask(to, file, [offset])).value;
    } catch (error) {
      if (error instanceof FsxErrno && error.code === "ENXIO") return undefined;
      throw error;
    }
  }

  async #settleMap(file: FsxFile): Promise<void> {
    if (file.mapDirty) await this.#ask("msync", file);
    file.mapDirty = false;
  }

  async #checkSize(file: FsxFile): Promise<void> {
    const { value } = await this.#worker.request("size", file.name, []);
    if (value === file.model.sizeBytes) return;
    throw new Error(`file ${file.name} has ${value} bytes, not ${file.model.sizeBytes}`);
  }

  /** Closes the files, opens them where it goes on, and compares all of them. */
  async #takeTurn(between?: () => Promise<void>): Promise<void> {
    await this.#closeAll();
    if (between !== undefined) {
      this.#note("remount");
      await between();
    }
    this.#turn = (this.#turn + 1) % this.#options.directories.length;
    this.#direct = this.#options.direct && this.#random.chance(0.3);
    await this.#openAll();
    for (const file of this.#files) {
      await this.#checkSize(file);
      const { base, windowBytes } = this.#options;
      const { data } = await this.#ask("read", file, [base, windowBytes]);
      requireSame(data, file.model.read(base, windowBytes), base);
    }
  }

  async #openAll(more = 0): Promise<void> {
    const { directories, base, windowBytes } = this.#options;
    const flags = O_RDWR | O_CREAT | more | (this.#direct ? O_DIRECT : 0);
    for (const file of this.#files) {
      const path = join(directories[this.#turn] ?? "", `fsx-${this.#options.seed}-${file.name}`);
      await this.#ask("open", file, [flags, base, windowBytes], Buffer.from(path));
      file.mapDirty = false;
    }
  }

  async #closeAll(): Promise<void> {
    for (const file of this.#files) await this.#ask("close", file);
  }

  #note(what: string): void {
    this.#history.push(`${this.#count} ${what}`);
    if (this.#history.length > 4 * REMEMBERED_OPERATIONS) {
      this.#history.splice(0, 3 * REMEMBERED_OPERATIONS);
    }
  }

  #ask(
    operation: string,
    file: FsxFile,
    numbers: readonly number[] = [],
    payload?: Uint8Array,
  ): ReturnType<FsxWorker["request"]> {
    const length = payload === undefined ? "" : ` [${payload.length}]`;
    this.#note(`${operation} ${file.name} ${numbers.join(" ")}${length}`);
    return this.#worker.request(operation, file.name, numbers, payload);
  }
}

function requireSame(found: Buffer, expected: Buffer, offset: number): void {
  if (found.equals(expected)) return;
  const at = expected.findIndex((value, index) => found[index] !== value);
  const last = expected.findLastIndex((value, index) => found[index] !== value);
  throw new Error(
    `${found.length} bytes read at ${offset}, ${expected.length} expected; the first wrong one ` +
      `at ${offset + at} is ${found[at] ?? "missing"} instead of ${expected[at] ?? "nothing"}, ` +
      "the last " +
      `at ${offset + last}`,
  );
}
