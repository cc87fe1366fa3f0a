// Opens what the engine stands on: the database, what the journals have beyond it, two new
// journals.
import { dirname, join } from "node:path";
import { FsError } from "../../domain/errno.ts";
import { passViolation } from "../../domain/invariant.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import { syncDirectory, writeAll, type Disk } from "../../platform/disk/disk.ts";
import type { Random } from "../../platform/random.ts";
import type { Incarnation } from "../../protocol/rpc/acknowledged.ts";
import type { OpenStore } from "../../platform/store/ordered-store.ts";
import { CheckpointStore, unknownFormat, type StoreState } from "./checkpoint-store.ts";
import type { Transaction } from "./engine.ts";
import { encodeHead, examineHead } from "./journal-records.ts";
import { JournalFile, journalGenerations, journalPath } from "./journal.ts";
import { ChangedLayer, LayerTransaction, withKeys } from "./layers.ts";
import { MAX_INCARNATIONS, METADATA_MAP_BYTES } from "./limits.ts";
import {
  hasLost,
  lossError,
  missingDatabaseError,
  readJournals,
  type Recovered,
} from "./recovery.ts";

export interface LmdbEngineOptions {
  /** Belongs to this engine; made if it isn't there. */
  directory: string;
  clock: Clock;
  disk: Disk;
  openStore: OpenStore;
  random: Random;
  log?: Log;
  /**
   * A checkpoint begins when the journal has this many bytes; JOURNAL_CHECKPOINT_BYTES unless
   * given.
   */
  checkpointBytes?: number;
  /** The store can't go on: nothing but closing it works any more. */
  onFailure?: (failure: FsError) => void;
  /**
   * A store that has lost durable history goes on from where it is whole, with what this writes;
   * without it the store is refused.
   */
  acceptLoss?: (tx: Transaction) => void;
  /** For an empty directory: the store whose copy this one begins with. */
  continues?: StoreOrigin;
}

/** How far a store had come, and its incarnations. */
export interface StoreOrigin {
  readonly position: number;
  readonly incarnations: readonly Incarnation[];
}

/** Owned by whoever opened them. */
export interface EngineFiles {
  readonly store: CheckpointStore;
  readonly state: StoreState;
  readonly journal: JournalFile;
  /** The next journal. */
  readonly spare: JournalFile;
}

/**
 * Redoes what the journals have beyond the last checkpoint, and drops them.
 * @throws FsError EBUSY when another process has it open; EIO when it is damaged, of another format
 *   or has lost something durable; EEXIST when it was to be empty
 */
export async function openEngineFiles(options: LmdbEngineOptions): Promise<EngineFiles> {
  const { directory, disk } = options;
  disk.makeDirectorySync(directory, 0o700);
  const store = openDatabase(options);
  try {
    const known = store.loadState();
    if (known !== undefined && options.continues !== undefined) throw notEmpty(directory);
    const before = known ?? (await beginStore(store, options));
    const found = readJournals(disk, directory, before, store.durablePosition());
    if (hasLost(found) && options.acceptLoss === undefined) throw lossError(directory, found);
    return await goOn(store, before, found, options);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function goOn(
  store: CheckpointStore,
  before: StoreState,
  found: Recovered,
  options: LmdbEngineOptions,
): Promise<EngineFiles> {
  const { directory, disk, acceptLoss, log } = options;
  const { storeId } = before;
  const incarnations = incarnationsAfter(before, found, options.random);
  let { position } = found;
  if (found.end !== undefined) log?.warn({ ...found.end, position }, "the journal ends early");
  if (acceptLoss !== undefined && hasLost(found)) {
    await keepAside(found, incarnations, options);
    position += writeInto(found, store, acceptLoss);
    const { position: from, durable } = found;
    log?.error({ from, durable }, "going on from a loss; dfs fsck tells what it left");
  }
  const applied = found.newest;
  const journal = await JournalFile.create(disk, directory, storeId, applied + 1);
  journal.follow(0, position);
  let spare: JournalFile | undefined;
  try {
    spare = await JournalFile.create(disk, directory, storeId, applied + 2);
    const created = spare.generation;
    const state = { storeId, applied, crc: 0, position, created, incarnations, clean: false };
    await store.write([...withKeys(found.changes)], state, true);
    for (const generation of found.found) disk.removeSync(journalPath(directory, generation));
    log?.info({ keys: found.changes.size, position }, "the metadata store is open");
    return { store, state, journal, spare };
  } catch (error) {
    await journal.close();
    await spare?.close();
    throw error;
  }
}

/** @throws FsError EBUSY, EIO */
function openDatabase({ directory, openStore: open }: LmdbEngineOptions): CheckpointStore {
  const store = usable(directory, () =>
    open({
      directory,
      what: "the metadata database",
      syncEachCommit: true,
      mapBytes: METADATA_MAP_BYTES,
    }),
  );
  const others = store.otherUsers();
  if (others.length > 0) {
    void store.close();
    const pids = others.join(", ");
    throw new FsError("EBUSY", `${directory} is in use by another process (pid ${pids})`);
  }
  return new CheckpointStore(store);
}

function usable<T>(directory: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    passViolation(error);
    const why = error instanceof Error ? error.message : String(error);
    throw new FsError(
      "EIO",
      `the metadata database in ${directory} can't be opened: ${why}. Nothing was changed. Put ` +
        'data.mdb back, or restore a copy of the metadata ("dfs meta restore")',
      { cause: error },
    );
  }
}

/**
 * Only a start that follows an orderly end is sure to have everything that was acknowledged: any
 * other begins an incarnation.
 */
function incarnationsAfter(
  { incarnations, clean }: StoreState,
  { records, end, position }: Recovered,
  random: Random,
): readonly Incarnation[] {
  if (clean && records === 0 && end === undefined) return incarnations;
  const next: Incarnation = { id: random.uuid(), beganAt: position };
  return [...incarnations, next].slice(-MAX_INCARNATIONS);
}

/** @throws FsError EIO when there are journals of a store that is gone */
async function beginStore(store: CheckpointStore, options: LmdbEngineOptions): Promise<StoreState> {
  const { directory, disk, random, continues = { position: 0, incarnations: [] } } = options;
  const journals = journalGenerations(disk, directory);
  for (const generation of journals) {
    const head = encodeHead("", generation);
    const file = disk.readWholeSync(journalPath(directory, generation));
    if (examineHead(file, head) === "another version's") throw unknownFormat(file[4] ?? 0);
  }
  if (journals.length > 0) throw missingDatabaseError(directory);
  // The names of a directory that was made just now are on disk with those above them.
  for (const above of [dirname(directory), dirname(dirname(directory))]) {
    await syncDirectory(disk, above);
  }
  const { position, incarnations } = continues;
  const storeId = random.uuid();
  const state = { storeId, applied: 0, crc: 0, position, created: 0, incarnations, clean: false };
  await store.write([], state, true);
  return state;
}

/** Keeps copies of the journals from the first broken one on: nobody else has what is in them. */
async function keepAside(
  { found, end }: Recovered,
  incarnations: readonly Incarnation[],
  { directory, disk, log }: LmdbEngineOptions,
): Promise<void> {
  const aside = join(directory, `lost-${incarnations.at(-1)?.id ?? ""}`);
  disk.makeDirectorySync(aside, 0o700);
  for (const generation of found.filter((one) => end === undefined || one >= end.generation)) {
    const bytes = await disk.readWhole(journalPath(directory, generation));
    const file = await disk.open(journalPath(aside, generation), "replace", 0o600);
    try {
      await writeAll(file, bytes, 0);
      await file.sync();
    } finally {
      await file.close();
    }
  }
  await syncDirectory(disk, aside);
  await syncDirectory(disk, directory);
  log?.warn({ aside }, "journals that can't be gone on from are kept aside");
}

/** Adds what `write` does to the changes that were found. Returns how many transactions it was. */
function writeInto(
  { changes, position }: Recovered,
  store: CheckpointStore,
  write: (tx: Transaction) => void,
): number {
  const tx = new LayerTransaction(new ChangedLayer(changes, store), position + 1);
  write(tx);
  for (const [key, value] of tx.changes.entries()) changes.set(key, value);
  return tx.changes.size > 0 ? 1 : 0;
}

function notEmpty(directory: string): FsError {
  return new FsError("EEXIST", `there is a metadata store in ${directory} already`);
}
