// What programs on the clients do: random operations, one after the other, each judged by what was
// promised before.
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { isFsError } from "../../domain/errno.ts";
import { ROOT_INO, type Ino, type Name } from "../../domain/ids.ts";
import { O_RDWR, type FileHandle, type Vfs } from "../../vfs/vfs.ts";
import { present } from "../present.ts";
import type { SeededRandom } from "../seeded-random.ts";
import type { SimMount } from "./client-machine.ts";
import type { Judge } from "./judge.ts";
import { copyByReference } from "./copying.ts";
import { takeLock } from "./lock-taking.ts";
import { readOpen, readWhole } from "./whole-reads.ts";
import { nameOf, type SimFile, type SimFiles } from "./sim-files.ts";
import { RECORD_BYTES, someLength, stampedBytes } from "./stamps.ts";

/** Shards of small files stand in a node's index, those of large ones are files. */
const SMALL_FILE_BYTES = 96 * 1024;
const LARGE_FILE_BYTES = 512 * 1024;
const SLOTS = 2;
/** While only few nodes are faulty nothing takes longer. */
const MILD_BOUND_MS = 30_000;
const ROOT = ROOT_INO;

const WEIGHTS = {
  create: 4,
  write: 8,
  read: 8,
  lookup: 4,
  replace: 3,
  rename: 2,
  unlink: 1,
  truncate: 1,
  copy: 2,
  rewrite: 1,
  sync: 2,
  lock: 2,
  syncDirectory: 1,
} as const;

export type Deed = keyof typeof WEIGHTS;

export interface ProgramOptions {
  readonly mount: SimMount;
  readonly files: SimFiles;
  readonly judge: Judge;
  readonly random: SeededRandom;
  /** Some files are so large that their shards are files on the nodes. */
  readonly hasLargeFiles: boolean;
  /** Of the whole run. */
  readonly maxFiles: number;
  /** Between operations, at the most. */
  readonly pauseMs: number;
  readonly mayGoOn: () => boolean;
}

/** One that was made, and has a name. */
type MadeFile = SimFile & { ino: Ino; name: Name };

export class Program {
  /** What it is at, for a report when it never ends. */
  doing: string | undefined;
  readonly #options: ProgramOptions;
  readonly #vfs: Vfs;

  constructor(options: ProgramOptions) {
    this.#options = options;
    this.#vfs = options.mount.vfs;
  }

  /** Resolves when it may not go on; never, when its process dies. */
  async run(): Promise<void> {
    const { mount, random, pauseMs, mayGoOn } = this.#options;
    const { clock } = mount.process;
    while (mayGoOn()) {
      await this.#one(random.weighted(WEIGHTS));
      await clock.sleep(random.below(pauseMs));
    }
    this.doing = undefined;
  }

  async #one(deed: Deed): Promise<void> {
    const { judge, mount } = this.#options;
    const { process } = mount;
    const { timeline } = process.machine;
    this.doing = `${deed} since ${(timeline.nowMs / 1000).toFixed(3)} s`;
    const beganMs = timeline.nowMs;
    try {
      await this.#do(deed);
      const tookMs = timeline.nowMs - beganMs;
      if (judge.isMild && tookMs > MILD_BOUND_MS) {
        judge.broken(`${process.name} ${deed}: it took ${(tookMs / 1000).toFixed(1)} s`);
      }
    } catch (error) {
      if (!isFsError(error)) throw error;
      timeline.note(`${process.name} ${deed}: ${error.code} ${error.message}`);
      if (judge.isMild) judge.broken(`${process.name} ${deed}: ${error.code} ${error.message}`);
    }
  }

  async #do(deed: Deed): Promise<void> {
    if (deed === "create") await this.#create();
    if (deed === "write") await this.#changing((file) => this.#write(file));
    if (deed === "read") await this.#read();
    if (deed === "lookup") await this.#lookup();
    if (deed === "replace") await this.#replace();
    if (deed === "rename") await this.#changing((file) => this.#rename(file));
    if (deed === "unlink") await this.#changing((file) => this.#unlink(file));
    if (deed === "copy") await this.#changing((file) => this.#copyAndChange(file));
    if (deed === "truncate") await this.#changing((file) => this.#truncate(file));
    if (deed === "rewrite") await this.#changing((file) => this.#rewrite(file));
    if (deed === "sync") await this.#changing((file) => this.#sync(file));
    if (deed === "lock") await takeLock(this.#options);
    if (deed === "syncDirectory") await this.#syncDirectory();
  }

  #note(what: string): void {
    const { process } = this.#options.mount;
    process.machine.timeline.note(`${process.name} ${what}`);
  }

  get #nowMs(): number {
    return this.#options.mount.process.machine.timeline.nowMs;
  }

  /** `change` of a file that nobody else changes meanwhile. */
  async #changing(change: (file: MadeFile) => Promise<void>): Promise<void> {
    const { files, mount } = this.#options;
    const file = files.claimAny(
      mount.process,
      ({ ino, name }) => ino !== undefined && name !== undefined,
    );
    if (file === undefined) return;
    await this.#working(file, () => change(file as MadeFile)); // as accepted
  }

  async #working(file: SimFile, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      file.isTroubled = true;
      throw error;
    } finally {
      this.#options.files.release(file);
    }
  }

  async #create(): Promise<void> {
    const { files, mount, maxFiles } = this.#options;
    if (files.all.length >= maxFiles) return;
    const file = files.add("f", mount.process);
    await this.#working(file, async () => {
      const fh = await this.#make(file);
      await this.#writeAndClose(file, fh);
    });
  }

  async #make(file: SimFile): Promise<FileHandle> {
    const { judge, mount } = this.#options;
    const name = present(file.name);
    file.history.beginName(mount.process, name);
    const made = await this.#vfs.create(ROOT_CALLER, ROOT, name, 0o644, O_RDWR);
    file.history.named(this.#nowMs);
    file.ino = made.attr.ino;
    judge.inodeMade(made.attr.ino, name);
    this.#note(`made ${nameOf(file)}`);
    return made.fh;
  }

  async #write(file: MadeFile): Promise<void> {
    const { fh } = await this.#vfs.open(ROOT_CALLER, file.ino, O_RDWR);
    await this.#writeAndClose(file, fh);
  }

  async #truncate(
    file: MadeFile,
    fh?: FileHandle,
    sizeBytes = someLength(this.#options.random),
  ): Promise<void> {
    const operation = this.#options.files.nextOperation();
    file.history.beginTruncate(this.#options.mount.process, operation, sizeBytes);
    this.#note(`truncates ${nameOf(file)} to ${sizeBytes}: ${operation}`);
    await this.#vfs.setattr(ROOT_CALLER, file.ino, { sizeBytes }, fh);
    file.history.written(operation, this.#nowMs);
  }

  /** All that was written to it, by whichever client, is on disk then. */
  async #sync({ history, ino, name }: MadeFile): Promise<void> {
    const { judge, mount } = this.#options;
    const { fh } = await this.#vfs.open(ROOT_CALLER, ino, O_RDWR);
    try {
      await this.#vfs.fsync(fh, false);
      history.synced(mount.process, this.#nowMs, judge.asOf(this.#nowMs));
      this.#note(`has synced ${name}`);
    } finally {
      await this.#vfs.release(fh);
    }
  }

  /** Copies by reference, and then perhaps takes away what was copied. */
  async #copyAndChange(source: MadeFile): Promise<void> {
    const { files, mount, random, maxFiles } = this.#options;
    const isNew = files.all.length < maxFiles && random.chance(0.6);
    const target = isNew
      ? files.add("c", mount.process)
      : files.claimAny(mount.process, ({ ino, name }) => ino !== undefined && name !== undefined);
    if (target === undefined) return;
    await this.#working(target, async () => {
      const fh = isNew
        ? await this.#make(target)
        : (await this.#vfs.open(ROOT_CALLER, present(target.ino), O_RDWR)).fh;
      try {
        await copyByReference(this.#options, target, fh, source);
      } finally {
        await this.#vfs.release(fh);
      }
    });
    const then = random.weighted({ unlink: 4, rewrite: 2, truncate: 1, nothing: 3 });
    if (then === "unlink") await this.#unlink(source);
    if (then === "rewrite") await this.#rewrite(source);
    if (then === "truncate") await this.#truncate(source);
  }

  /** As a shell does it: opened with O_TRUNC, and written. */
  async #rewrite(file: MadeFile): Promise<void> {
    const { fh } = await this.#vfs.open(ROOT_CALLER, file.ino, O_RDWR);
    try {
      await this.#truncate(file, fh, 0);
    } catch (error) {
      await this.#vfs.release(fh);
      throw error;
    }
    await this.#writeAndClose(file, fh);
  }

  /** A few writes, perhaps an fsync, and a close. */
  async #writeAndClose(file: SimFile, fh: FileHandle): Promise<void> {
    const { random, judge, hasLargeFiles, mount } = this.#options;
    const { process } = mount;
    const { history } = file;
    const isLarge = hasLargeFiles && random.chance(0.2);
    const first = this.#options.files.nextOperation();
    try {
      let operation = first;
      for (let left = 1 + random.below(3); left > 0; left--) {
        const lengthBytes = isLarge ? LARGE_FILE_BYTES : someLength(random);
        const room = Math.max(1, SMALL_FILE_BYTES - lengthBytes);
        const offset = random.chance(0.4) ? 0 : random.below(room / RECORD_BYTES) * RECORD_BYTES;
        const bytes = stampedBytes(judge.cluster, history.key, operation, offset, lengthBytes);
        history.beginWrite(process, operation, offset, lengthBytes);
        this.#note(`writes ${operation} to ${nameOf(file)}: ${offset} +${lengthBytes}`);
        await this.#vfs.write(fh, offset, bytes, false);
        if (random.chance(0.2)) await process.clock.sleep(random.below(200));
        operation = this.#options.files.nextOperation();
      }
      if (random.chance(0.4)) {
        await this.#vfs.fsync(fh, false);
        history.written(first, this.#nowMs);
        history.synced(process, this.#nowMs, judge.asOf(this.#nowMs));
        this.#note(`has synced ${nameOf(file)}`);
      }
      await this.#vfs.flush(fh);
      history.written(first, this.#nowMs);
      this.#note(`has closed ${nameOf(file)}`);
    } finally {
      await this.#vfs.release(fh);
    }
  }

  async #read(): Promise<void> {
    const { files, random, judge } = this.#options;
    const known = files.all.filter(({ ino }) => ino !== undefined);
    if (known.length === 0) return;
    const file = random.pick(known);
    const asOf = judge.asOf(this.#nowMs);
    let bytes: Buffer;
    try {
      bytes = await readWhole(this.#vfs, present(file.ino));
    } catch (error) {
      const isGone = isFsError(error, "ENOENT", "ESTALE");
      if (isGone && file.history.possibleNames(asOf).includes(undefined)) return;
      throw error;
    }
    const wrong = file.history.wrongIn(bytes, asOf);
    if (wrong !== undefined) judge.broken(`${this.#who} reads ${file.name}: ${wrong}`);
  }

  async #lookup(): Promise<void> {
    const { files, random, judge } = this.#options;
    const named = files.all.filter(({ name }) => name !== undefined);
    if (named.length === 0) return;
    const file = random.pick(named);
    const name = present(file.name);
    const asOf = judge.asOf(this.#nowMs);
    try {
      const { ino } = await this.#vfs.lookup(ROOT_CALLER, ROOT, name);
      if (file.ino !== undefined && ino !== file.ino && !name.startsWith("s")) {
        judge.broken(`${this.#who} finds inode ${ino} at ${name}, which is ${file.ino}`);
      }
    } catch (error) {
      if (!isFsError(error, "ENOENT")) throw error;
      const possible = file.history.possibleNames(asOf);
      if (possible.every((one) => one === name)) {
        judge.broken(`${this.#who} doesn't find ${name}`);
      }
    }
  }

  get #who(): string {
    return this.#options.mount.process.name;
  }

  /** A new file under another's name, as editors save. */
  async #replace(): Promise<void> {
    const { files, mount, random, maxFiles } = this.#options;
    if (files.all.length >= maxFiles) return;
    const slot = `s${random.below(SLOTS)}` as Name; // letters and digits
    const holder = files.slots.get(slot);
    const old = files.claimAny(mount.process, (file) => file === holder);
    if (holder !== undefined && old === undefined) return;
    const file = files.add("t", mount.process);
    files.slots.set(slot, file);
    const work = (): Promise<void> =>
      this.#working(file, async () => {
        const fh = await this.#make(file);
        await this.#writeAndClose(file, fh);
        const from = present(file.name);
        const open = random.chance(0.5) ? await this.#openOld(old) : undefined;
        file.history.beginName(mount.process, slot);
        old?.history.beginName(mount.process, undefined);
        file.name = slot;
        await this.#vfs.rename(ROOT_CALLER, ROOT, from, ROOT, slot, 0);
        file.history.named(this.#nowMs);
        old?.history.named(this.#nowMs);
        this.#note(`renamed ${from} to ${slot}`);
        if (old !== undefined) old.name = undefined;
        await open?.check();
      });
    if (old === undefined) await work();
    else await this.#working(old, work);
  }

  /** Opens a file that is about to lose its name, to be read afterwards. */
  async #openOld(old: SimFile | undefined): Promise<{ check(): Promise<void> } | undefined> {
    if (old?.ino === undefined) return undefined;
    const { fh } = await this.#vfs.open(ROOT_CALLER, old.ino, 0);
    const check = async (): Promise<void> => {
      const { judge } = this.#options;
      const asOf = judge.asOf(this.#nowMs);
      try {
        const wrong = old.history.wrongIn(await readOpen(this.#vfs, fh), asOf);
        if (wrong !== undefined) judge.broken(`${this.#who} has a nameless file open: ${wrong}`);
      } finally {
        await this.#vfs.release(fh);
      }
    };
    return { check };
  }

  async #rename(file: MadeFile): Promise<void> {
    if (file.name.startsWith("s")) return;
    const from = file.name;
    const stem = from.split("r")[0] ?? "";
    const to = `${stem}r${this.#options.files.nextOperation()}` as Name; // letters and digits
    file.history.beginName(this.#options.mount.process, to);
    file.name = to;
    await this.#vfs.rename(ROOT_CALLER, ROOT, from, ROOT, to, 0);
    file.history.named(this.#nowMs);
    this.#note(`renamed ${from} to ${to}`);
  }

  async #unlink(file: SimFile): Promise<void> {
    const { name } = file;
    if (name?.startsWith("s") !== false) return;
    file.history.beginName(this.#options.mount.process, undefined);
    await this.#vfs.unlink(ROOT_CALLER, ROOT, name);
    file.history.named(this.#nowMs);
    this.#note(`unlinked ${name}`);
    file.name = undefined;
  }

  async #syncDirectory(): Promise<void> {
    const fh = await this.#vfs.opendir(ROOT_CALLER, ROOT);
    try {
      await this.#vfs.fsyncdir(fh);
    } finally {
      this.#vfs.releasedir(fh);
    }
  }
}
