import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { FsError } from "../domain/errno.ts";

import { COPY_PG_COUNT, COPY_POOL } from "../domain/format.ts";
import type { ShardId, SliceId } from "../domain/ids.ts";
import { BackupJob } from "../jobs/backup/backup-job.ts";
import { copyOfSlice, copySlice, storedCopies } from "../meta/copies/copy-records.ts";
import { LmdbEngine } from "../meta/engine/lmdb-engine.ts";
import { tombstoneOf } from "../meta/namespace/tombstones.ts";
import { fatesOfSlices } from "../meta/session/slice-fates.ts";
import { silentLog } from "../observability/log.ts";
import { systemDisk } from "../platform/disk/system-disk.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { joining, nodeId } from "../testing/meta/joined-nodes.ts";
import { openLocalMeta, type LocalMeta } from "../testing/meta/meta-server.ts";
import { openServedStore, type ServedStore } from "../testing/shard/shard-node.ts";
import { present } from "../testing/present.ts";
import { SYSTEM } from "../testing/system.ts";
import { checkData, openStopped, type DataReport } from "./check-cluster.ts";
import { DirectoryCopyFiles, EngineCopyLedger } from "./engine-copy-ledger.ts";
import { METADATA_DIRECTORY } from "./metadata-server.ts";
import { OfflineNodes } from "./offline-nodes.ts";
import { recoverCluster, type RecoverReport } from "./recover-cluster.ts";
import { ScratchDirectory } from "./survey-blocks.ts";

const HOUR_MS = 3_600_000;
const SIGNAL = new AbortController().signal;

/** A cluster's metadata, and its nodes behind HTTP: what they hold are copies of it. */
class World {
  readonly base: string;
  readonly clock = new FakeClock();
  readonly meta: LocalMeta;
  readonly nodes: ServedStore[] = [];
  hasRoom = true;

  private constructor(base: string, meta: LocalMeta) {
    this.base = base;
    this.meta = meta;
  }

  static async make(t: ExecutionContext, nodes: number): Promise<World> {
    const base = await mkdtemp(join(tmpdir(), "dfs-recover-"));
    t.teardown(() => rm(base, { recursive: true, force: true }));
    const w = new World(base, await openLocalMeta());
    for (let index = 1; index <= nodes; index += 1) {
      const name = { cluster: w.meta.cluster.clusterId, node: nodeId(index) };
      const node = await openServedStore({ cluster: () => name.cluster }, () => name);
      t.teardown(() => node.close());
      w.nodes.push(node);
      await w.meta.cluster.register(joining(index, { url: node.url }));
    }
    return w;
  }

  get dataDir(): string {
    return join(this.base, "new");
  }

  urls(nodes: readonly ServedStore[] = this.nodes): string[] {
    return nodes.map(({ url }) => url);
  }

  /** A copy of the metadata as it is now on these nodes, and in a file where there is room. */
  async copyTo(nodes: readonly ServedStore[]): Promise<void> {
    const { engine, cluster } = this.meta;
    await using offline = await OfflineNodes.at(this.urls(nodes));
    await using blocks = offline.openCopies();
    const files = new DirectoryCopyFiles(systemDisk, join(this.base, "copies"));
    if (!this.hasRoom) files.write = () => Promise.reject(new FsError("ENOSPC", "no space"));
    await this.job(engine, cluster.clusterId, { files, blocks }).pass(SIGNAL);
  }

  job(
    engine: LocalMeta["engine"],
    clusterId: string,
    places: { files: DirectoryCopyFiles; blocks: ReturnType<OfflineNodes["openCopies"]> },
  ): BackupJob {
    const { clock } = this;
    const ledger = new EngineCopyLedger(engine, clusterId, clock);
    const rest = { hasNodes: () => true, clock, log: silentLog, everyMs: HOUR_MS, keep: 8 };
    const job = new BackupJob({ ledger, ...places, ...rest });
    job.request().catch(() => undefined);
    return job;
  }

  recover(nodes: readonly ServedStore[] = this.nodes): Promise<RecoverReport> {
    const nothing = (): void => undefined;
    const told = { say: nothing, onProgress: nothing, signal: SIGNAL };
    return recoverCluster({ dataDir: this.dataDir, urls: this.urls(nodes), ...told });
  }

  recovered(): Promise<LmdbEngine> {
    return LmdbEngine.open({ directory: join(this.dataDir, METADATA_DIRECTORY), ...SYSTEM });
  }

  /** As gc does it that takes what is lost in a restore for garbage. */
  async park(nodes: readonly ServedStore[]): Promise<void> {
    await using offline = await OfflineNodes.at(this.urls(nodes));
    for (const node of offline.nodes) {
      for (let pg = 0; pg < COPY_PG_COUNT; pg += 1) {
        const ids: ShardId[] = [];
        for await (const { id } of offline.calls.list(node, COPY_POOL, pg, SIGNAL)) ids.push(id);
        await offline.calls.park(node, ids, SIGNAL);
      }
    }
  }

  /** As gc does it to copies for which newer ones came. */
  async delete(numbers: readonly number[], nodes = this.nodes): Promise<void> {
    await using offline = await OfflineNodes.at(this.urls(nodes));
    for (const node of offline.nodes) {
      for (let pg = 0; pg < COPY_PG_COUNT; pg += 1) {
        const ids: ShardId[] = [];
        for await (const { id } of offline.calls.list(node, COPY_POOL, pg, SIGNAL)) {
          if (numbers.includes(copyOfSlice(id.slice)?.number ?? 0)) ids.push(id);
        }
        await offline.calls.deleteMany(node, ids, SIGNAL);
      }
    }
  }

  /** As dfs fsck does it of what was recovered. */
  async check(repair: boolean, isLive?: boolean): Promise<DataReport> {
    await using scratch = await ScratchDirectory.make(this.base);
    await using metadata = await openStopped(this.dataDir);
    const areLive = (slices: readonly SliceId[]): Promise<boolean[]> =>
      Promise.resolve(slices.map(() => isLive === true));
    const checked = isLive === undefined ? metadata : { ...metadata, areLive };
    return await checkData(checked, { verify: false, repair }, scratch, () => undefined, SIGNAL);
  }

  /** The recovered server makes its first copy. */
  async goOn(engine: LmdbEngine): Promise<void> {
    await using offline = await OfflineNodes.at(this.urls(this.nodes.slice(0, 3)));
    await using blocks = offline.openCopies();
    const files = new DirectoryCopyFiles(systemDisk, join(this.base, "new-copies"));
    await this.job(engine, this.meta.cluster.clusterId, { files, blocks }).pass(SIGNAL);
  }
}

test("a newer copy whose nodes are away isn't given to gc by a recovery", async (t) => {
  const w = await World.make(t, 8);
  await w.copyTo(w.nodes.slice(0, 3));
  await w.copyTo(w.nodes.slice(2));
  for (const node of w.nodes.slice(3)) await node.stop();
  await w.recover(w.nodes.slice(0, 3));
  await using engine = await w.recovered();
  t.deepEqual(
    engine.read((tx) => storedCopies(tx).map(({ number }) => number)),
    [1],
  );
  await w.goOn(engine);
  const newer = copySlice(2, 0);
  t.is(
    engine.read((tx) => tombstoneOf(tx, newer)),
    undefined,
  );
  // Nobody's: a survey that has seen all nodes takes it to their trash.
  t.deepEqual(
    engine.read((tx) => fatesOfSlices(tx, [copySlice(1, 0), newer], 0)),
    ["live", "orphan"],
  );
});

test("a copy that was recovered from stays, though it says that it isn't whole", async (t) => {
  const w = await World.make(t, 3);
  w.hasRoom = false;
  await t.throwsAsync(w.copyTo(w.nodes), { code: "ENOSPC" });
  await w.recover();
  await using engine = await w.recovered();
  await w.goOn(engine);
  const copies = engine.read(storedCopies);
  t.is(copies.length, 2);
  t.like(copies[0], { number: 1, parts: 1 });
  t.not(present(copies[0]).sizeBytes, undefined);
});

test("copies that had gone for newer ones aren't missed after a recovery", async (t) => {
  const w = await World.make(t, 3);
  for (let made = 1; made <= 4; made += 1) await w.copyTo(w.nodes);
  await w.recover();
  await using engine = await w.recovered();
  t.deepEqual(
    engine.read((tx) => storedCopies(tx).map(({ number }) => number)),
    [3, 4],
  );
});

/** Two copies had gone from `nodes` for newer ones, when the newest of four was spoilt. */
async function fallenBack(w: World, nodes = w.nodes): Promise<void> {
  for (let made = 1; made <= 4; made += 1) await w.copyTo(w.nodes);
  await w.delete([1, 2], nodes);
  await w.delete([4]);
}

test("copies that had gone for one that can't be read aren't missed either", async (t) => {
  const w = await World.make(t, 3);
  await fallenBack(w);
  const { survey } = await w.recover();
  t.like(survey, { blocks: 1, whole: 1, short: 0 });
  t.is(survey.unreadable.size, 0);
  await using engine = await w.recovered();
  t.deepEqual(
    engine.read((tx) => storedCopies(tx).map(({ number }) => number)),
    [3],
  );
});

test("a copy isn't given up for nodes that are away, or weren't named", async (t) => {
  const numbersAfter = async (w: World): Promise<number[]> => {
    await w.recover(w.nodes.slice(1));
    await using engine = await w.recovered();
    return engine.read((tx) => storedCopies(tx).map(({ number }) => number));
  };
  const away = await World.make(t, 3);
  await fallenBack(away);
  await present(away.nodes[0]).stop();
  t.deepEqual(await numbersAfter(away), [2, 3]);
  const unnamed = await World.make(t, 3);
  await fallenBack(unnamed, unnamed.nodes.slice(1));
  t.deepEqual(await numbersAfter(unnamed), [2, 3]);
});

test("shards in the nodes' trash come back when a check is to repair", async (t) => {
  const w = await World.make(t, 3);
  await w.copyTo(w.nodes);
  await w.recover();
  await w.park(w.nodes.slice(0, 2));
  const seen = await w.check(false);
  t.like(seen.survey, { blocks: 1, whole: 0, short: 1, broughtBack: 0, nodes: 3 });
  t.like((await w.check(true)).survey, { blocks: 1, whole: 1, short: 0, broughtBack: 4 });
  t.like((await w.check(false)).survey, { blocks: 1, whole: 1, short: 0, broughtBack: 0 });
});

test("what was deleted since the metadata was copied lacks nothing", async (t) => {
  const w = await World.make(t, 3);
  await w.copyTo(w.nodes);
  await w.recover();
  await w.park(w.nodes.slice(0, 1));
  t.like((await w.check(false)).survey, { blocks: 1, short: 1 });
  t.like((await w.check(true, false)).survey, { blocks: 0, short: 0, broughtBack: 0 });
});

test("a node that is named by two of its addresses counts once", async (t) => {
  const w = await World.make(t, 1);
  await using nodes = await OfflineNodes.at([...w.urls(), `${w.urls()[0]}/`]);
  t.is(nodes.nodes.length, 1);
});
