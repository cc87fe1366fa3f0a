// Random steps as commands of fast-check: each is carried out by the model and by a file system,
// which must agree.
import fc from "fast-check";
import { O_APPEND, O_CREAT, O_EXCL, O_RDWR, O_TRUNC, O_WRONLY } from "../../vfs/vfs.ts";
import { O_DIRECTORY, O_NOFOLLOW, type ReferenceModel } from "./reference-model.ts";
import { agrees, type HandleStep, type Step, type StepSystem, type Windows } from "./steps.ts";

/** Few, so that steps meet each other's files. */
const NAMES = ["a", "b", "c", "d"];
const MAX_OPEN = 6;
// No sticky directory that others may write to: what fs.protected_regular refuses there is the
// kernel's affair.
const MODES = [0o644, 0o755, 0o000, 0o1755, 0o600];
const CHANGED_MODES = [...MODES, 0o4755, 0o2755, 0o2644, 0o6777, 0o2775];
const IDS = [0, 1000, 65_534];
const PUNCH = 3;
const ZERO = 16;
const ZERO_KEEPING_SIZE = 17;
const KEEP_SIZE = 1;

/**
 * A step before it is known what there is: slots and paths in it are made to fit when it is run.
 */
interface Drawn {
  readonly step: Step;
  readonly uses: "nothing" | "a free slot" | "open files";
  /** Which of the existing paths to take instead of the one that was drawn. */
  readonly path?: number | undefined;
  readonly from?: number | undefined;
}

export type ModelCommand = fc.AsyncCommand<ReferenceModel, StepSystem>;

class StepCommand implements ModelCommand {
  readonly #drawn: Drawn;

  constructor(drawn: Drawn) {
    this.#drawn = drawn;
  }

  check(model: Readonly<ReferenceModel>): boolean {
    const step = this.#bound(model);
    return step !== undefined && model.fits(step);
  }

  async run(model: ReferenceModel, real: StepSystem): Promise<void> {
    const step = this.#bound(model);
    if (step === undefined) return;
    await compare(step, model, real);
  }

  toString(): string {
    return JSON.stringify(this.#drawn);
  }

  /** With paths and slots that there are. */
  #bound(model: Readonly<ReferenceModel>): Step | undefined {
    const { step, uses, path, from } = this.#drawn;
    const { paths } = model;
    const exists = (drawn: number | undefined, otherwise: string): string =>
      drawn === undefined ? otherwise : (paths[drawn % paths.length] ?? otherwise);
    const placed = "path" in step ? { ...step, path: exists(path, step.path) } : step;
    const whole = "from" in placed ? { ...placed, from: exists(from, placed.from) } : placed;
    return !("slot" in whole) || uses === "nothing" ? whole : withSlots(whole, uses, model.slots);
  }
}

function withSlots(
  step: HandleStep,
  uses: Drawn["uses"],
  slots: readonly number[],
): Step | undefined {
  if (uses === "a free slot") {
    if (slots.length >= MAX_OPEN) return undefined;
    const all = Array.from({ length: MAX_OPEN }, (_, slot) => slot);
    return { ...step, slot: all.find((slot) => !slots.includes(slot)) ?? 0 };
  }
  const slot = slots[step.slot % slots.length];
  if (slot === undefined) return undefined;
  if (step.op !== "copy") return { ...step, slot };
  return { ...step, slot, to: slots[step.to % slots.length] ?? slot };
}

/** @throws Error when model and file system disagree. */
export async function compare(step: Step, model: ReferenceModel, real: StepSystem): Promise<void> {
  const expected = model.run(step);
  const found = await real.run(step);
  if (agrees(expected, found)) return;
  const told = `${brief(step)}\ngave      ${brief(found)}\ninstead of ${brief(expected)}`;
  throw new Error(`${told}${differences(expected, found)}\nafter\n${model.history.join("\n")}`);
}

/** A command that does something else than a step, such as a crash. */
export function eventCommand(
  name: string,
  run: (model: ReferenceModel) => Promise<void>,
): ModelCommand {
  return {
    check: () => true,
    run: (model) => {
      model.note(name);
      return run(model);
    },
    toString: () => name,
  };
}

function brief(value: unknown): string {
  const text = JSON.stringify(value, (_key, each: unknown) => {
    return typeof each === "string" && each.length > 60
      ? `${each.slice(0, 40)}… ${each.length} characters`
      : each;
  });
  return text.length > 1500 ? `${text.slice(0, 1500)}…` : text;
}

/** Where two long answers differ. */
function differences(expected: unknown, found: unknown): string {
  const [a, b] = [expected, found].map((side) =>
    typeof side === "object" && side !== null && "value" in side ? side.value : undefined,
  );
  if (typeof a === "string" && typeof b === "string") {
    const [wanted, got] = [Buffer.from(a, "latin1"), Buffer.from(b, "latin1")];
    const first = wanted.findIndex((byte, index) => got[index] !== byte);
    const at = first < 0 ? wanted.length : first;
    return `\n${got.length} bytes instead of ${wanted.length}; the first difference at ${at}`;
  }
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return "";
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => {
    return !agrees(Reflect.get(a, name), Reflect.get(b, name));
  });
  const lines = names.map((name) => {
    const [found, expected] = [b, a].map((side) => brief(Reflect.get(side, name) ?? null));
    return `${name}: ${found} instead of ${expected}`;
  });
  return `\n${lines.join("\n")}`;
}

const path = fc
  .tuple(
    fc.oneof(
      { weight: 5, arbitrary: fc.constant(1) },
      { weight: 4, arbitrary: fc.constant(2) },
      { weight: 1, arbitrary: fc.constant(3) },
    ),
    fc.array(fc.constantFrom(...NAMES), { minLength: 3, maxLength: 3 }),
  )
  .map(([depth, names]) => names.slice(0, depth).join("/"));

const openFlags = fc
  .tuple(
    fc.constantFrom(0, O_WRONLY, O_RDWR, O_RDWR, O_RDWR),
    fc.constantFrom(0, O_CREAT, O_CREAT, O_CREAT, O_CREAT | O_EXCL),
    fc.constantFrom(0, 0, 0, O_TRUNC),
    fc.constantFrom(0, 0, 0, O_APPEND),
    fc.constantFrom(0, 0, 0, 0, 0, O_NOFOLLOW, O_DIRECTORY),
  )
  .map(([access, creates, truncates, appends, kind]) => {
    // Truncating what is open to read alone, and creating a directory, are nobody's promise.
    const flags = access | appends | (access === 0 ? 0 : truncates);
    return flags | (kind === O_DIRECTORY ? kind : kind | creates);
  });

/** Offsets and lengths that stay within a window, often at the sizes where something begins. */
function ranges(
  { bases, bytes }: Windows,
  edges: readonly number[],
): fc.Arbitrary<{ offset: number; length: number }> {
  const within = fc.oneof(
    fc.constantFrom(...edges.filter((edge) => edge < bytes)),
    fc.nat(Math.min(64, bytes - 1)),
    fc.nat(bytes - 1),
  );
  const length = fc.oneof(
    fc.integer({ min: 1, max: 40 }),
    fc.constantFrom(...edges.filter((edge) => edge > 0)),
    fc.integer({ min: 1, max: bytes }),
  );
  return fc.tuple(fc.constantFrom(...bases), within, length).map(([base, at, wanted]) => {
    return { offset: base + at, length: Math.min(wanted, bytes - at) };
  });
}

/** Existing paths are taken two times of three, where the step isn't to make something new. */
const pick = fc.option(fc.nat(100), { nil: undefined, freq: 2 });
const nothing = (step: fc.Arbitrary<Step>): fc.Arbitrary<Drawn> =>
  fc.record({ step, uses: fc.constant("nothing" as const), path: pick, from: pick });
const making = (step: fc.Arbitrary<Step>): fc.Arbitrary<Drawn> =>
  fc.record({ step, uses: fc.constant("nothing" as const), from: pick });
const opening = (step: fc.Arbitrary<Step>): fc.Arbitrary<Drawn> =>
  fc.record({ step, uses: fc.constant("a free slot" as const), path: pick });
const using = (step: fc.Arbitrary<Step>): fc.Arbitrary<Drawn> =>
  step.map((each) => ({ step: each, uses: "open files" }));
const op = <T extends string>(name: T): fc.Arbitrary<T> => fc.constant(name);

function nameSteps(sizes: fc.Arbitrary<number>): fc.Arbitrary<Drawn>[] {
  const mode = fc.constantFrom(...MODES);
  const name = fc.constantFrom("user.x", "user.y", "user.long-name");
  const value = fc.constantFrom("", "1", "value", "\0\xff");
  const made = [
    fc.record({ op: op("mkdir"), path, mode }),
    fc.record({ op: op("mkdir"), path, mode }),
    fc.record({ op: op("mkdir"), path, mode }),
    fc.record({ op: op("socket"), path, mode }),
    fc.record({ op: op("symlink"), path, target: path }),
    fc.record({ op: op("link"), path, from: path }),
    fc.record({ op: op("link"), path, from: path }),
    fc.record({ op: op("rename"), path, from: path, flags: fc.constantFrom(0, 0, 1) }),
  ].map((step) => making(step));
  const others = [
    fc.record({ op: op("rename"), path, from: path, flags: fc.constantFrom(0, 0, 0, 1, 2) }),
    fc.record({ op: op("rename"), path, from: path, flags: fc.constantFrom(0, 2) }),
    fc.record({ op: op("unlink"), path }),
    fc.record({ op: op("unlink"), path }),
    fc.record({ op: op("rmdir"), path }),
    fc.record({ op: op("stat"), path }),
    fc.record({ op: op("lstat"), path }),
    fc.record({ op: op("readlink"), path }),
    fc.record({ op: op("list"), path }),
    fc.record({ op: op("chmod"), path, mode: fc.constantFrom(...CHANGED_MODES) }),
    fc.record({
      op: op("chown"),
      path,
      uid: fc.constantFrom(...IDS),
      gid: fc.constantFrom(...IDS),
    }),
    fc.record({ op: op("utimens"), path, sec: fc.nat(2_000_000_000) }),
    fc.record({ op: op("truncate"), path, size: sizes }),
    fc.record({ op: op("setxattr"), path, name, value, flags: fc.constantFrom(0, 0, 1, 2) }),
    fc.record({ op: op("getxattr"), path, name }),
    fc.record({ op: op("listxattr"), path }),
    fc.record({ op: op("removexattr"), path, name }),
  ].map((step) => nothing(step));
  return [...made, ...others];
}

function fileSteps(
  range: ReturnType<typeof ranges>,
  sizes: fc.Arbitrary<number>,
): fc.Arbitrary<Drawn>[] {
  const slot = fc.nat(MAX_OPEN - 1);
  const mode = fc.constantFrom(...MODES);
  const write = fc.tuple(slot, range, fc.nat(255)).map(([drawn, { offset, length }, seed]) => {
    return { op: "write" as const, slot: drawn, offset, length, seed };
  });
  const read = fc.tuple(slot, range).map(([drawn, at]) => {
    return { op: "read" as const, slot: drawn, ...at };
  });
  const allocate = fc
    .tuple(slot, range, fc.constantFrom(0, KEEP_SIZE, PUNCH, PUNCH, ZERO, ZERO_KEEPING_SIZE))
    .map(([drawn, at, how]) => {
      return { op: "fallocate" as const, slot: drawn, mode: how, ...at };
    });
  const copy = fc.tuple(slot, slot, range, range).map(([drawn, to, from, target]) => {
    const length = Math.min(from.length, target.length);
    const toOffset = target.offset;
    return { op: "copy" as const, slot: drawn, to, offset: from.offset, toOffset, length };
  });
  const open = fc.record({ op: op("open"), slot, path, flags: openFlags, mode });
  return [
    ...[open, open, open, open, open].map((step) => opening(step)),
    opening(fc.record({ op: op("tmpfile"), slot, path, mode })),
    ...[write, write, write, write, read, read, read].map((step) => using(step)),
    ...[allocate, allocate, copy].map((step) => using(step)),
    using(fc.record({ op: op("ftruncate"), slot, size: sizes })),
    using(fc.record({ op: op("close"), slot })),
    using(fc.record({ op: op("close"), slot })),
    using(fc.record({ op: fc.constantFrom("fsync" as const, "fdatasync" as const), slot })),
    using(fc.record({ op: op("fstat"), slot })),
    using(fc.record({ op: op("fchmod"), slot, mode: fc.constantFrom(...CHANGED_MODES) })),
    using(fc.record({ op: op("futimens"), slot, sec: fc.nat(2_000_000_000) })),
    using(fc.record({ op: op("linkfd"), slot, path })),
  ];
}

/** One arbitrary a kind of step; kinds that matter more stand there more often. */
export function stepCommands(
  windows: Windows,
  edges: readonly number[],
): fc.Arbitrary<ModelCommand>[] {
  const range = ranges(windows, edges);
  const sizes = range.map(({ offset }) => offset);
  const dump: Drawn = { step: { op: "dump" }, uses: "nothing" };
  return [...nameSteps(sizes), ...fileSteps(range, sizes), fc.constant(dump)].map((drawn) => {
    return drawn.map((each) => new StepCommand(each));
  });
}

/**
 * A run's parameters: DFS_SEED replays it, DFS_REPLAY="path replayPath" its smallest failure, as
 * printed.
 */
export function replayOf(
  seed: number,
  numRuns: number,
): { parameters: fc.Parameters<unknown>; replay: { replayPath?: string } } {
  const [at = "", replayPath = ""] = (process.env["DFS_REPLAY"] ?? "").split(" ");
  const parameters = { seed, numRuns, includeErrorInReport: true };
  if (at === "") return { parameters, replay: {} };
  return { parameters: { ...parameters, path: at }, replay: { replayPath } };
}
