// Looks at every placement group on the nodes, beside what the metadata says: for fsck and recover,
// which have a store of their own to look into.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClusterMap, MapNode } from "../domain/cluster-map.ts";
import type { NodeId, SliceId } from "../domain/ids.ts";
import { ExpectedBlocks } from "../jobs/inventory/expected-blocks.ts";
import {
  Inventory,
  type BlockFinding,
  type InventoryOptions,
} from "../jobs/inventory/inventory.ts";
import { forEachBounded } from "../jobs/concurrency.ts";
import type { Engine } from "../meta/engine/engine.ts";
import { openLmdbStore } from "../platform/store/open-lmdb-store.ts";

/** Groups looked at at once: nodes have others to serve. */
const GROUPS_AT_ONCE = 4;

export interface SurveyRequest {
  readonly engine: Pick<Engine, "read">;
  readonly map: ClusterMap;
  readonly nodes: readonly MapNode[];
  readonly calls: InventoryOptions["calls"];
  readonly verify: boolean;
  /** Missing shards are looked for in the nodes' trash, and brought back. */
  readonly bringBack: boolean;
  /**
   * By slice: whether anything cites it now. What was deleted meanwhile is no loss. Absent: nobody
   * changes `engine` meanwhile.
   */
  readonly areLive?: (slices: readonly SliceId[]) => Promise<boolean[]>;
  /** Told of how far it is: groups. */
  readonly onProgress: (done: number, total: number) => void;
  readonly signal: AbortSignal;
}

export interface SurveyReport {
  blocks: number;
  whole: number;
  /** Lack shards, and can be read. */
  short: number;
  /** Slices with a block that can't be read. */
  unreadable: Set<SliceId>;
  broughtBack: number;
  unexplained: number;
  spoilt: number;
  /** Nodes that failed to answer for some group. */
  unreachable: readonly NodeId[];
  /** Nodes that answered. */
  nodes: number;
}

/** A directory that is gone when whoever asked for it is done. */
export class ScratchDirectory implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** @param base where it is made; the system's place for such */
  static async make(base = tmpdir()): Promise<ScratchDirectory> {
    return new ScratchDirectory(await mkdtemp(join(base, "dfs-scratch-")));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

export async function surveyBlocks(
  request: SurveyRequest,
  scratch: ScratchDirectory,
): Promise<SurveyReport> {
  const { engine, map, nodes, calls, verify, bringBack, onProgress, signal } = request;
  const store = openLmdbStore({
    directory: join(scratch.path, "blocks"),
    what: "the scratch store",
    syncEachCommit: false,
  });
  try {
    const expected = await ExpectedBlocks.collect(engine, map, store);
    const inventory = new Inventory({ map, nodes, calls, expected, verify, signal });
    const report: SurveyReport = {
      blocks: expected.count,
      whole: 0,
      short: 0,
      unreadable: new Set(),
      broughtBack: 0,
      unexplained: 0,
      spoilt: 0,
      unreachable: [],
      nodes: nodes.length,
    };
    const { groups } = inventory;
    let done = 0;
    await forEachBounded(groups, GROUPS_AT_ONCE, async ({ pool, pg }) => {
      const looked = await inventory.look(pool, pg);
      report.whole += looked.whole;
      report.unexplained += looked.unexplained;
      report.spoilt += looked.spoilt;
      const found = await stillLive(looked.findings, request);
      report.blocks -= looked.findings.length - found.length;
      const [left, back] = bringBack ? await inventory.bringBack(pool, pg, found) : [found, 0];
      report.broughtBack += back;
      for (const finding of left) note(report, finding);
      done += 1;
      onProgress(done, groups.length);
    });
    report.unreachable = inventory.unreachable;
    return report;
  } finally {
    await store.close();
  }
}

async function stillLive(
  findings: readonly BlockFinding[],
  { areLive }: SurveyRequest,
): Promise<readonly BlockFinding[]> {
  if (areLive === undefined || findings.length === 0) return findings;
  const slices = [...new Set(findings.map(({ ref }) => ref.slice))];
  const live = await areLive(slices);
  const gone = new Set(slices.filter((_, at) => live[at] !== true));
  return findings.filter(({ ref }) => !gone.has(ref.slice));
}

function note(report: SurveyReport, { ref, missing, isUnreadable }: BlockFinding): void {
  if (missing.length === 0) report.whole += 1;
  else if (isUnreadable) report.unreadable.add(ref.slice);
  else report.short += 1;
}
