// What was done to one file, and what of it was promised: what any later read may bring.
import { readStamp, RECORD_BYTES } from "./stamps.ts";

/**
 * begun: perhaps done, perhaps not, perhaps later. acknowledged: done. durable: on disk.
 */
export type Progress = "begun" | "acknowledged" | "durable";

/** Who did it: a process of a client. */
interface Doer {
  readonly isAlive: boolean;
}

/** Something done to the file, in the order that its owners did it. */
interface Step {
  readonly by: Doer;
  /** Its bytes are on the nodes. */
  readonly isContent: boolean;
  progress: Progress;
  /** When it was acknowledged. */
  atMs: number;
  /** Since when its bytes have been there, where that is longer. */
  readonly sinceMs?: number;
  /** It goes, unless it is durable, with what it is a copy of, and that is others'. */
  readonly isLoose?: boolean;
}

interface WriteStep extends Step {
  readonly operation: number;
  readonly offset: number;
  end: number;
  /** What may stand there, by place, where the bytes are another file's. */
  readonly taken?: ReadonlyMap<number, Takeable>;
}

/** What may stand at a place. */
interface Takeable {
  readonly isHole: boolean;
  /** Files and operations. */
  readonly stamps: ReadonlySet<string>;
}

/** A file's content as it may be copied. */
export interface Takeables {
  readonly places: ReadonlyMap<number, Takeable>;
  readonly leastBytes: number;
}

/** Nothing stands from `sizeBytes` on. */
interface TruncateStep extends Step {
  readonly operation: number;
  readonly sizeBytes: number;
}

type ContentStep = WriteStep | TruncateStep;

interface NameStep extends Step {
  /** The file's name from here on; undefined: it has none. */
  readonly name: string | undefined;
}

/** Steps that must have happened by the rules of the moment, as far as each can tell for itself. */
export type IsBinding = (step: Readonly<Step>) => boolean;

export class FileHistory {
  readonly key: number;
  readonly #cluster: number;
  readonly #contents: ContentStep[] = [];
  readonly #names: NameStep[] = [];
  /** Both, in their order. */
  readonly #steps: Step[] = [];

  constructor(cluster: number, key: number) {
    this.#cluster = cluster;
    this.key = key;
  }

  beginWrite(by: Doer, operation: number, offset: number, lengthBytes: number): void {
    const end = offset + lengthBytes;
    const begun = { by, isContent: true, progress: "begun", atMs: Infinity } as const;
    const step: WriteStep = { ...begun, operation, offset, end };
    this.#contents.push(step);
    this.#steps.push(step);
  }

  /** A change of metadata, but one of the content too. */
  beginTruncate(by: Doer, operation: number, sizeBytes: number): void {
    const begun = { by, isContent: false, progress: "begun", atMs: Infinity } as const;
    const step: TruncateStep = { ...begun, operation, sizeBytes };
    this.#contents.push(step);
    this.#steps.push(step);
  }

  /** Bytes of `source`, from the same places on. */
  beginCopy(by: Doer, operation: number, offset: number, end: number, source: FileHistory): void {
    const isLoose = source.#steps.some((step) => step.by !== by && step.progress !== "durable");
    const pending = source.#contents.filter(({ progress }) => progress !== "durable");
    const sinceMs = Math.min(...pending.map((step) => step.sinceMs ?? step.atMs));
    const isDurable: IsBinding = ({ progress }) => progress === "durable";
    const { places: taken } = source.takeables(isDurable, offset, end);
    const begun = { by, isContent: true, progress: "begun", atMs: Infinity } as const;
    const step: WriteStep = { ...begun, operation, offset, end, taken, isLoose, sinceMs };
    this.#contents.push(step);
    this.#steps.push(step);
  }

  /** The copy that was begun last took so much. */
  copied(lengthBytes: number): void {
    const step = this.#contents.at(-1);
    // One of nothing makes no file longer.
    if (step !== undefined && "end" in step) step.end = lengthBytes && step.offset + lengthBytes;
  }

  /** What a copy made now may have of those bytes. */
  takeables(isBinding: IsBinding, offset: number, end: number): Takeables {
    const binding = this.#binding(isBinding);
    const { least, most } = this.#sizes(binding);
    const places = new Map<number, Takeable>();
    for (let at = offset; at < Math.min(most, end); at += RECORD_BYTES) {
      places.set(at, this.#takeableAt(at, binding));
    }
    return { places, leastBytes: Math.max(0, Math.min(least, end) - offset) };
  }

  #takeableAt(at: number, binding: ReadonlySet<Step>): Takeable {
    const { floor, possible } = this.#possibleAt(at, binding);
    const stamps = new Set<string>();
    let isHole = floor === 0;
    for (const step of possible) {
      const { taken } = "end" in step ? step : { taken: undefined };
      if (!("end" in step) || taken?.get(at)?.isHole === true) isHole = true;
      else if (taken === undefined) stamps.add(`${this.key}/${step.operation}`);
      for (const stamp of taken?.get(at)?.stamps ?? []) stamps.add(stamp);
    }
    return { isHole, stamps };
  }

  beginName(by: Doer, name: string | undefined): void {
    const step: NameStep = { by, isContent: false, name, progress: "begun", atMs: Infinity };
    this.#names.push(step);
    this.#steps.push(step);
  }

  /** The last change of names was acknowledged. */
  named(nowMs: number): void {
    advance(this.#names.slice(-1), "acknowledged", nowMs);
  }

  /** What was done from `operation` on was told to be done. */
  written(operation: number, nowMs: number): void {
    const done = this.#contents.filter((step) => step.operation >= operation);
    advance(done, "acknowledged", nowMs);
  }

  /**
   * `by` was told that all is on disk: what it had been promised itself is, and what of others may
   * not have been forgotten before.
   */
  synced(by: Doer, nowMs: number, isBinding: IsBinding): void {
    const own = this.#steps.filter((step) => step.by === by && step.progress !== "begun");
    advance([...own, ...this.#binding(isBinding)], "durable", nowMs);
  }

  /** All of its bytes were promised to be there after whatever power cut. */
  get isDurable(): boolean {
    return this.#contents.every(({ progress }) => progress === "durable");
  }

  /** What follows on what may have been forgotten can't be relied on, either. */
  #binding(isBinding: IsBinding): Set<Step> {
    const binding = new Set<Step>();
    let isBroken = false;
    for (const step of this.#steps) {
      if (step.progress === "durable" && isBinding(step)) binding.add(step);
      if (step.progress !== "acknowledged") continue;
      const stands = isBinding(step) && step.isLoose !== true;
      if (stands && !isBroken) binding.add(step);
      // Content that is gone takes nothing along.
      if (!stands && !step.isContent) isBroken = true;
    }
    return binding;
  }

  /** Names it may have now; undefined among them: it may be gone, or not there yet. */
  possibleNames(isBinding: IsBinding): (string | undefined)[] {
    const binding = this.#binding(isBinding);
    const last = this.#names.findLastIndex((step) => binding.has(step));
    const before = last === -1 ? [undefined] : [];
    return [...before, ...this.#names.slice(Math.max(0, last)).map(({ name }) => name)];
  }

  /** What is wrong with the file's whole content; nothing where all is well. */
  wrongIn(bytes: Buffer, isBinding: IsBinding): string | undefined {
    const binding = this.#binding(isBinding);
    const { least, most } = this.#sizes(binding);
    if (bytes.length < least) return `${bytes.length} bytes are there, ${least} were written`;
    if (bytes.length > most) return `${bytes.length} bytes are there, only ${most} were written`;
    for (let at = 0; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
      const wrong = this.#wrongAt(bytes, at, binding);
      if (wrong !== undefined) return `at ${at} of ${bytes.length}: ${wrong}`;
    }
    return undefined;
  }

  /** Sizes that the file may have. */
  #sizes(binding: ReadonlySet<Step>): { least: number; most: number } {
    let [least, most] = [0, 0];
    for (const step of this.#contents) {
      const isBinding = binding.has(step);
      if ("end" in step) {
        most = Math.max(most, step.end);
        if (isBinding) least = Math.max(least, step.end);
      } else if (isBinding) {
        [least, most] = [step.sizeBytes, step.sizeBytes];
      } else {
        [least, most] = [Math.min(least, step.sizeBytes), Math.max(most, step.sizeBytes)];
      }
    }
    return { least, most };
  }

  #wrongAt(bytes: Buffer, at: number, binding: ReadonlySet<Step>): string | undefined {
    const { covering, floor, possible } = this.#possibleAt(at, binding);
    const stamp = readStamp(this.#cluster, bytes, at);
    if (stamp === undefined) {
      return `bytes that nobody wrote: ${bytes.toString("hex", at, at + RECORD_BYTES)}`;
    }
    if (stamp === "hole") {
      const mayBeHole = (step: ContentStep): boolean =>
        !("end" in step) || step.taken?.get(at)?.isHole === true;
      return floor === 0 || possible.some(mayBeHole)
        ? undefined
        : `nothing, but ${floor} was written`;
    }
    if (stamp.place * RECORD_BYTES !== at) return `bytes of place ${stamp.place * RECORD_BYTES}`;
    const isOwn = stamp.file === this.key;
    const name = `${stamp.file}/${stamp.operation}`;
    const isIt = (step: ContentStep): boolean => {
      if (!("end" in step)) return false;
      if (step.taken !== undefined) return step.taken.get(at)?.stamps.has(name) === true;
      return isOwn && step.operation === stamp.operation;
    };
    if (!covering.some(isIt)) {
      const whose = isOwn ? "" : ` of file ${stamp.file}`;
      return `bytes of operation ${stamp.operation}${whose}, which wrote none here`;
    }
    if (possible.some(isIt)) return undefined;
    return `bytes of operation ${stamp.operation}, but ${floor} was done later`;
  }

  /** Steps that may show at a place, from the last on that must have happened. */
  #possibleAt(at: number, binding: ReadonlySet<Step>) {
    const covering = this.#contents.filter((step) => covers(step, at));
    const floorAt = covering.findLastIndex((step) => binding.has(step));
    const floor = covering[floorAt]?.operation ?? 0;
    return { covering, floor, possible: covering.slice(Math.max(0, floorAt)) };
  }
}

function covers(step: ContentStep, at: number): boolean {
  return "end" in step ? step.offset <= at && at < step.end : step.sizeBytes <= at;
}

function advance(steps: Iterable<Step>, progress: Progress, nowMs: number): void {
  for (const step of steps) {
    if (step.progress === "durable") continue;
    if (step.progress === "begun") step.atMs = nowMs;
    step.progress = progress;
  }
}
