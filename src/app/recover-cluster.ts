// Brings a cluster back of which only the storage nodes are left: the newest copy of the metadata
// that they hold becomes a metadata server's data, and what they hold is compared with it.
import { join } from "node:path";
import type { ClusterMap } from "../domain/cluster-map.ts";
import { FsError, isFsError } from "../domain/errno.ts";
import { filesOf, type DamagedFiles } from "../jobs/inventory/damaged-files.ts";
import { findCopies, readFoundCopy, type FoundCopy } from "../jobs/inventory/find-copies.ts";
import { NODE_COPIES_KEPT } from "../jobs/limits.ts";
import { newestMap } from "../meta/cluster/cluster-records.ts";
import { adoptCopy, dropCopy, storedCopies, type StoredCopy } from "../meta/copies/copy-records.ts";
import type { CopyFacts } from "../meta/copies/copy-reader.ts";
import { LmdbEngine } from "../meta/engine/lmdb-engine.ts";
import { systemClock } from "../platform/clock.ts";
import { systemDisk } from "../platform/disk/system-disk.ts";
import { systemRandom } from "../platform/random.ts";
import { openLmdbStore } from "../platform/store/open-lmdb-store.ts";
import { restoreMetadata } from "./metadata-copies.ts";
import { METADATA_DIRECTORY } from "./metadata-server.ts";
import { OfflineNodes } from "./offline-nodes.ts";
import { ScratchDirectory, surveyBlocks, type SurveyReport } from "./survey-blocks.ts";

export interface RecoverRequest {
  readonly dataDir: string;
  /** Addresses of storage nodes. */
  readonly urls: readonly string[];
  /** Told what happens, for people. */
  readonly say: (line: string) => void;
  readonly onProgress: (done: number, total: number) => void;
  readonly signal: AbortSignal;
}

export interface RecoverReport {
  readonly copy: CopyFacts;
  readonly survey: SurveyReport;
  /** Files that can't be read, or not wholly. */
  readonly lost: DamagedFiles;
}

/**
 * @throws FsError ECONNREFUSED no node answers; ENOENT no copy is on those that do; EEXIST there is
 *   metadata already; EBADMSG none of the copies can be read
 */
export async function recoverCluster(request: RecoverRequest): Promise<RecoverReport> {
  const { dataDir, urls, say, signal } = request;
  await using nodes = await OfflineNodes.at(urls);
  say(`${nodes.nodes.length} storage nodes of cluster ${nodes.clusterId} answer`);
  for (const { why } of nodes.missing) say(`  ${why}`);
  const copies = await findCopies(nodes.nodes, nodes.calls, signal);
  if (copies.length === 0) {
    throw new FsError(
      "ENOENT",
      `no copy of the metadata is on these ${nodes.nodes.length} nodes; name all nodes of the ` +
        "cluster, or restore a copy that was kept elsewhere: dfs meta restore FILE",
    );
  }
  const { copy, facts } = await restoreNewest(copies, nodes, request);
  const directory = join(dataDir, METADATA_DIRECTORY);
  const [clock, disk, random] = [systemClock, systemDisk, systemRandom];
  await using engine = await LmdbEngine.open({
    directory,
    clock,
    disk,
    random,
    openStore: openLmdbStore,
  });
  // The others, which it doesn't know, are nobody's: a survey that has seen all nodes parks them.
  await engine.transact(
    (tx) => {
      adoptCopy(tx, copy, facts);
      // As when it was made; the copy itself can't know.
      for (const old of storedCopies(tx).slice(0, -NODE_COPIES_KEPT)) dropCopy(tx, old);
    },
    { durable: true },
  );
  const map = engine.read(newestMap);
  await nodes.addFrom(map);
  await dropGone(engine, map, nodes, signal);
  const report = await survey(engine, map, nodes, request);
  const lost = engine.read((tx) => filesOf(tx, report.unreadable));
  return { copy: facts, survey: report, lost };
}

/**
 * Forgets copies that had gone for one that couldn't be read: its metadata alone knows. That not
 * enough of them is on the nodes says so only where all nodes were asked.
 */
async function dropGone(
  engine: LmdbEngine,
  map: ClusterMap,
  nodes: OfflineNodes,
  signal: AbortSignal,
): Promise<void> {
  const asked = new Set(nodes.nodes.map(({ id }) => id));
  if (nodes.missing.length > 0 || map.nodes.some(({ id }) => !asked.has(id))) return;
  const found = await findCopies(nodes.nodes, nodes.calls, signal).catch((error: unknown) => {
    // One that was only added fails: its copies aren't known.
    if (isFsError(error, "EIO")) return undefined;
    throw error;
  });
  if (found === undefined) return;
  const standing = new Map(found.map((copy) => [copy.number, copy]));
  const stands = ({ number, sizeBytes = 0 }: StoredCopy): boolean => {
    const copy = standing.get(number);
    if (copy === undefined || copy.lacking > 0) return false;
    return copy.blocks.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0) >= sizeBytes;
  };
  await engine.transact(
    (tx) => {
      for (const old of storedCopies(tx)) if (!stands(old)) dropCopy(tx, old);
    },
    { durable: true },
  );
}

async function restoreNewest(
  copies: readonly FoundCopy[],
  nodes: OfflineNodes,
  { dataDir, say, signal }: RecoverRequest,
): Promise<{ copy: FoundCopy; facts: CopyFacts }> {
  await using blocks = nodes.openCopies();
  for (const copy of copies) {
    if (copy.lacking > 0) {
      say(`copy ${copy.number}: ${copy.lacking} of its blocks have too few shards left`);
      continue;
    }
    say(`copy ${copy.number}: reading it`);
    try {
      const facts = await restoreMetadata(() => readFoundCopy(blocks, copy, signal), dataDir);
      return { copy, facts };
    } catch (error) {
      if (!isFsError(error, "EBADMSG", "EIO", "EINVAL")) throw error;
      say(`copy ${copy.number}: ${error.message}`);
    }
  }
  throw new FsError(
    "EBADMSG",
    `none of the ${copies.length} copies on these nodes can be read; name all nodes of the ` +
      "cluster, or restore a copy that was kept elsewhere: dfs meta restore FILE",
  );
}

async function survey(
  engine: LmdbEngine,
  map: ClusterMap,
  nodes: OfflineNodes,
  { say, onProgress, signal, dataDir }: RecoverRequest,
): Promise<SurveyReport> {
  say("the metadata is restored; comparing it with what the nodes hold");
  await using scratch = await ScratchDirectory.make(dataDir);
  return await surveyBlocks(
    {
      engine,
      map,
      nodes: nodes.nodes,
      calls: nodes.calls,
      verify: false,
      bringBack: true,
      onProgress,
      signal,
    },
    scratch,
  );
}
