// Checks a cluster for dfs fsck: its metadata, from a copy of a running server or in the directory
// of one that is stopped, and the shards on its nodes.
import { join } from "node:path";
import type { ClusterMap } from "../domain/cluster-map.ts";
import { FsError } from "../domain/errno.ts";
import type { SliceId } from "../domain/ids.ts";
import { filesOf, type DamagedFiles } from "../jobs/inventory/damaged-files.ts";
import { clusterIdOf, newestMap } from "../meta/cluster/cluster-records.ts";
import { readCopy } from "../meta/copies/copy-reader.ts";
import { putCopied } from "../meta/copies/load-copy.ts";
import type { Engine } from "../meta/engine/engine.ts";
import { LmdbEngine } from "../meta/engine/lmdb-engine.ts";
import { CHECKS } from "../meta/fsck/check-store.ts";
import { applyRepair, type Edit, type Finding, type Repair } from "../meta/fsck/finding.ts";
import {
  FRUITLESS_ROUNDS,
  MAX_REPAIR_BYTES_KEPT,
  MAX_REPAIRS_KEPT,
  MAX_TOLD,
} from "../meta/fsck/limits.ts";
import { pathsOf } from "../meta/fsck/paths.ts";
import { systemClock } from "../platform/clock.ts";
import { systemDisk } from "../platform/disk/system-disk.ts";
import { systemRandom } from "../platform/random.ts";
import { openLmdbStore } from "../platform/store/open-lmdb-store.ts";
import { MAX_REPAIRS, MAX_SLICES_ASKED, type WireRepair } from "../protocol/admin/admin-api.ts";
import type { AdminClient } from "../protocol/admin/admin-client.ts";
import { METADATA_DIRECTORY } from "./metadata-server.ts";
import { OfflineNodes } from "./offline-nodes.ts";
import { surveyBlocks, type ScratchDirectory, type SurveyReport } from "./survey-blocks.ts";

/** The metadata that is checked, and how it is repaired. */
export interface CheckedMetadata extends AsyncDisposable {
  readonly engine: Engine;
  /** By repair: whether it could still be done. */
  repair(repairs: readonly Repair[]): Promise<boolean[]>;
  /** By slice: whether it is still cited. Absent: nobody changes it meanwhile. */
  readonly areLive?: (slices: readonly SliceId[]) => Promise<boolean[]>;
}

/** @throws FsError EBUSY a server runs on it; ENOENT there is none */
export async function openStopped(dataDir: string): Promise<CheckedMetadata> {
  const directory = join(dataDir, METADATA_DIRECTORY);
  if ((await systemDisk.facts(directory)) === undefined) {
    throw new FsError("ENOENT", `${dataDir} is no metadata server's data directory`);
  }
  const engine = await openEngine(directory);
  return {
    engine,
    repair: async (repairs) => {
      const done: boolean[] = [];
      for (const repair of repairs) {
        done.push(await engine.transact((tx) => applyRepair(tx, repair), { durable: true }));
      }
      return done;
    },
    [Symbol.asyncDispose]: () => engine.close(),
  };
}

/**
 * Takes a copy of a running server's metadata into `scratch`, where it is for as long as it is
 * open; repairs go to the server.
 */
export async function openCopied(
  admin: AdminClient,
  scratch: ScratchDirectory,
  round: number,
): Promise<CheckedMetadata> {
  const directory = join(scratch.path, `metadata-${round}`);
  const engine = await openEngine(directory);
  const close = async (): Promise<void> => {
    await engine.close();
    await systemDisk.removeTree(directory);
  };
  try {
    await readCopy(admin.metadataCopy(), (changes) => putCopied(engine, changes));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    engine,
    repair: async (repairs) => {
      const done: boolean[] = [];
      for (let at = 0; at < repairs.length; at += MAX_REPAIRS) {
        const batch = repairs.slice(at, at + MAX_REPAIRS).map(wireRepair);
        done.push(...(await admin.repair(batch)));
      }
      return done;
    },
    areLive: async (slices) => {
      const live: boolean[] = [];
      for (let at = 0; at < slices.length; at += MAX_SLICES_ASKED) {
        live.push(...(await admin.areLive(slices.slice(at, at + MAX_SLICES_ASKED))));
      }
      return live;
    },
    [Symbol.asyncDispose]: close,
  };
}

function openEngine(directory: string): Promise<LmdbEngine> {
  const [clock, disk, random, openStore] = [systemClock, systemDisk, systemRandom, openLmdbStore];
  return LmdbEngine.open({ directory, clock, disk, random, openStore });
}

function wireRepair({ how, edits, bury = [], usage }: Repair): WireRepair {
  const text = (bytes: Uint8Array | null): string | null =>
    bytes === null ? null : Buffer.from(bytes).toString("base64");
  return {
    how,
    edits: edits.map(({ key, expected, value }) => [text(key) ?? "", text(expected), text(value)]),
    bury: [...bury],
    ...(usage === undefined ? {} : { usage }),
  };
}

/** A finding as people are told, with what became of it. */
export interface ToldFinding {
  readonly check: string;
  readonly what: string;
  readonly path?: string;
  /** Absent: it can't be repaired. */
  readonly how?: string;
  readonly repaired: boolean;
}

export interface MetadataReport {
  readonly findings: readonly ToldFinding[];
  /** Of all findings, told or not. */
  readonly count: number;
  readonly repaired: number;
}

/** How a check is followed. */
export interface CheckWatcher {
  onCheck(name: string): void;
  onRound(report: MetadataReport): void;
}

/**
 * Checks once; with `repair` until nothing is found, or nothing helps any more. Each round has what
 * `open` brings to itself. Resolves to what the last one had.
 */
export async function checkRounds(
  open: (round: number) => Promise<CheckedMetadata>,
  repair: boolean,
  watcher: CheckWatcher,
): Promise<CheckedMetadata> {
  let least = Infinity;
  let fruitless = 0;
  for (let round = 1; ; round += 1) {
    const metadata = await open(round);
    try {
      const report = await checkMetadata(metadata, repair, (name) => watcher.onCheck(name));
      watcher.onRound(report);
      fruitless = report.count < least ? 0 : fruitless + 1;
      least = Math.min(least, report.count);
      if (report.repaired === 0 || fruitless === FRUITLESS_ROUNDS) return metadata;
    } catch (error) {
      await metadata[Symbol.asyncDispose]();
      throw error;
    }
    await metadata[Symbol.asyncDispose]();
  }
}

/** One round over all checks. A repair may make another finding: ask again until none is left. */
export async function checkMetadata(
  metadata: CheckedMetadata,
  repair: boolean,
  onCheck: (name: string) => void,
): Promise<MetadataReport> {
  const told: ToldFinding[] = [];
  let count = 0;
  let repaired = 0;
  for (const { name, run } of CHECKS) {
    onCheck(name);
    const toTell: Finding[] = [];
    const repairs = new Repairs();
    await metadata.engine.read((tx) => {
      for (const finding of run(tx)) {
        count += 1;
        if (toTell.length < MAX_TOLD) toTell.push(finding);
        if (repair) repairs.add(finding.repair);
      }
    });
    const done = await repairs.carryOut(metadata);
    repaired += done.size;
    if (toTell.length > 0) told.push(...(await tell(metadata, name, toTell, done)));
  }
  return { findings: told, count, repaired };
}

/** Those of one check that are kept until it ends. */
class Repairs {
  readonly #kept: Repair[] = [];
  #bytes = 0;

  /** Does nothing where there is none, or no room: another round has it. */
  add(repair: Repair | undefined): void {
    if (repair === undefined || this.#kept.length === MAX_REPAIRS_KEPT) return;
    const bytes = repair.edits.reduce((sum, one) => sum + editBytes(one), 0);
    if (this.#bytes + bytes > MAX_REPAIR_BYTES_KEPT) return;
    this.#kept.push(repair);
    this.#bytes += bytes;
  }

  /** Resolves to those that could still be done. */
  async carryOut(metadata: CheckedMetadata): Promise<Set<Repair>> {
    const done = await metadata.repair(this.#kept);
    return new Set(this.#kept.filter((_, at) => done[at] === true));
  }
}

function editBytes({ key, expected, value }: Edit): number {
  return key.length + (expected?.length ?? 0) + (value?.length ?? 0);
}

async function tell(
  metadata: CheckedMetadata,
  check: string,
  found: readonly Finding[],
  done: ReadonlySet<Repair>,
): Promise<ToldFinding[]> {
  const inos = new Set(found.flatMap(({ ino }) => (ino === undefined ? [] : [ino])));
  const paths = await metadata.engine.read((tx) => pathsOf(tx, inos));
  return found.map(({ what, ino, repair }) => {
    const path = ino === undefined ? undefined : paths.get(ino);
    return {
      check,
      what,
      ...(path === undefined ? {} : { path }),
      ...(repair === undefined ? {} : { how: repair.how }),
      repaired: repair !== undefined && done.has(repair),
    };
  });
}

export interface DataReport {
  readonly survey: SurveyReport;
  readonly lost: DamagedFiles;
  /** Addresses of the map where no node of the cluster answers, and why. */
  readonly missing: readonly { readonly url: string; readonly why: string }[];
}

export interface DataCheck {
  /** Every shard is read, and compared with its checksums. */
  readonly verify: boolean;
  /** Missing shards are brought back from the nodes' trash. */
  readonly repair: boolean;
}

export async function checkData(
  metadata: Pick<CheckedMetadata, "engine" | "areLive">,
  { verify, repair }: DataCheck,
  scratch: ScratchDirectory,
  onProgress: (done: number, total: number) => void,
  signal: AbortSignal,
): Promise<DataReport> {
  const { engine, areLive } = metadata;
  const map: ClusterMap = await engine.read(newestMap);
  await using nodes = await OfflineNodes.of(await engine.read(clusterIdOf), map);
  const live = areLive === undefined ? {} : { areLive };
  const asked = { engine, map, nodes: nodes.nodes, calls: nodes.calls, ...live };
  const survey = await surveyBlocks(
    { ...asked, verify, bringBack: repair, onProgress, signal },
    scratch,
  );
  const lost = await engine.read((tx) => filesOf(tx, survey.unreadable));
  return { survey, lost, missing: nodes.missing };
}
