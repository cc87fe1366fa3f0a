// The metadata server's background work: repair, the survey of all groups, gc, compaction, packing
// and backups, over the nodes. Changes of the map and news of groups wake repair.
import { CellSeal } from "../codec/cell-seal.ts";
import type { Coding } from "../codec/policy-codecs.ts";
import type { ClosableShardService } from "../stripes/nodes/node-link.ts";
import { StripeBlockStore } from "../stripes/stripe-block-store.ts";
import type { MapNode } from "../domain/cluster-map.ts";
import { FsError } from "../domain/errno.ts";
import { BackupJob, type BackupState } from "../jobs/backup/backup-job.ts";
import type { CopyFiles } from "../jobs/backup/copy-ledger.ts";
import { CompactionJob } from "../jobs/compaction-job.ts";
import { GcJob } from "../jobs/gc-job.ts";
import { JobLoop, type Job } from "../jobs/job.ts";
import { NodeCalls } from "../jobs/node-calls.ts";
import { PackingJob } from "../jobs/packing-job.ts";
import { GroupRepair } from "../jobs/repair/group-repair.ts";
import { LostBlocks } from "../jobs/repair/lost-blocks.ts";
import { RepairJob } from "../jobs/repair/repair-job.ts";
import { ShardCheck } from "../jobs/repair/shard-check.ts";
import { SurveyJob } from "../jobs/repair/survey-job.ts";
import { SettlingJob } from "../jobs/settling-job.ts";
import type { ClusterRegistry } from "../meta/cluster/cluster-registry.ts";
import type { Engine } from "../meta/engine/engine.ts";
import { DEAD_SLICE_GRACE_MS, JOB_RETRY_MIN_MS } from "../jobs/limits.ts";
import type { Log } from "../observability/log.ts";
import type { JobsReport } from "../rest/cluster-status.ts";
import type { Clock } from "../platform/clock.ts";
import { EngineCopyLedger } from "./engine-copy-ledger.ts";
import { EngineDataLedger } from "./engine-data-ledger.ts";
import { EngineSettlingLedger } from "./engine-settling-ledger.ts";
import { EngineSliceLedger } from "./engine-slice-ledger.ts";
import { jobBlocks, type JobBlocks } from "./job-blocks.ts";
import { onlyRegisteredDelete } from "./registered-deletes.ts";

/** Other paces than usual, for tests. */
export interface JobTimings {
  deadSliceGraceMs?: number;
  /** Pause between walks of compaction and of packing. */
  tidyIntervalMs?: number;
  /** Age of what is packed. */
  packAfterMs?: number;
}

/** The schedule of copies of the metadata, and where their files are. */
export interface BackupSchedule {
  /** 0: only when asked. */
  readonly everyMs: number;
  /** Files kept. */
  readonly keep: number;
  readonly files: CopyFiles;
}

export interface BackgroundJobsOptions {
  engine: Engine;
  cluster: ClusterRegistry;
  /** Makes the client of a node of the cluster; the jobs close it. */
  connect: (node: MapNode, cluster: string) => ClosableShardService;
  coding: Coding;
  clock: Clock;
  log: Log;
  timings?: JobTimings;
  /** Absent: no copies are made. */
  backups?: BackupSchedule;
}

export class BackgroundJobs implements AsyncDisposable {
  readonly #repair: RepairJob;
  readonly #survey: SurveyJob;
  readonly #backup: BackupJob | undefined;
  readonly #backupLoop: JobLoop | undefined;
  readonly #loops: JobLoop[];
  readonly #store: StripeBlockStore;
  readonly #blocks: JobBlocks;
  readonly #peers: PeerServices;
  readonly #stopListening: (() => void)[];

  constructor(options: BackgroundJobsOptions) {
    const { engine, cluster, coding, clock, log, timings = {} } = options;
    const connect = (node: MapNode): ClosableShardService =>
      onlyRegisteredDelete(options.connect(node, cluster.clusterId), () =>
        cluster.isRegistered(node.id),
      );
    const peers = new PeerServices(connect);
    this.#peers = peers;
    this.#store = new StripeBlockStore({
      maps: () => cluster.history(),
      connect,
      reportDamage: (reports) => {
        cluster.groups.reportDamage(reports).catch((error: unknown) => {
          log.warn({ err: error, reports: reports.length }, "damage could not be recorded");
        });
      },
      coding,
      cluster: cluster.clusterId,
      clock,
      log,
    });
    this.#blocks = jobBlocks(this.#store, cluster.groups);
    const { deadSliceGraceMs = DEAD_SLICE_GRACE_MS } = timings;
    const ledger = new EngineSliceLedger(engine, clock, deadSliceGraceMs);
    const calls = new NodeCalls((node) => peers.of(node), clock);
    const check = new ShardCheck(calls, new CellSeal(cluster.clusterId), log);
    const repair = new GroupRepair({ groups: cluster.groups, ledger, calls, check, log });
    this.#repair = new RepairJob({ cluster, calls, repair });
    const lost = new LostBlocks({ ledger, calls, groups: cluster.groups });
    this.#survey = new SurveyJob({ cluster, ledger, calls, repair, lost, clock });
    const gc = new GcJob({ ledger, cluster, calls, clock, log });
    const settling = this.#settlingJob(engine, clock);
    const others = [this.#survey, gc, settling, ...this.#tidyJobs(engine, clock, timings)];
    const repairLoop = new JobLoop(this.#repair, clock, log);
    this.#backup = this.#backupJob(options);
    this.#backupLoop = this.#backup && new JobLoop(this.#backup, clock, log);
    this.#loops = [repairLoop, ...others.map((job) => new JobLoop(job, clock, log))];
    if (this.#backupLoop !== undefined) this.#loops.push(this.#backupLoop);
    let damageWake: (() => void) | undefined;
    this.#stopListening = [
      cluster.onChange((maps) => {
        peers.keepOnly(maps.current.nodes);
        repairLoop.wake();
      }),
      // Reports come in bursts while a node is failing: one pass for all of a moment.
      cluster.groups.onNews(() => {
        damageWake ??= clock.after(JOB_RETRY_MIN_MS, () => {
          damageWake = undefined;
          repairLoop.wake();
        });
      }),
      () => damageWake?.(),
    ];
  }

  #settlingJob(engine: Engine, clock: Clock): SettlingJob {
    const ledger = new EngineSettlingLedger(engine, clock);
    return new SettlingJob({ ledger, blocks: this.#blocks, clock });
  }

  #tidyJobs(engine: Engine, clock: Clock, { tidyIntervalMs, packAfterMs }: JobTimings): Job[] {
    const ledger = new EngineDataLedger(engine, clock.nowMs());
    const pace = tidyIntervalMs === undefined ? {} : { intervalMs: tidyIntervalMs };
    const options = { ledger, blocks: this.#blocks, clock, ...pace };
    const age = packAfterMs === undefined ? {} : { afterMs: packAfterMs };
    return [new CompactionJob(options), new PackingJob({ ...options, ...age })];
  }

  #backupJob(options: BackgroundJobsOptions): BackupJob | undefined {
    const { engine, cluster, clock, log, backups } = options;
    if (backups === undefined) return undefined;
    return new BackupJob({
      ledger: new EngineCopyLedger(engine, cluster.clusterId, clock),
      blocks: this.#blocks,
      hasNodes: () => cluster.current().nodes.some(({ state }) => state === "up"),
      clock,
      log,
      ...backups,
    });
  }

  /** Makes a copy of the metadata now. @throws FsError why it failed; ENOSYS: none are made */
  async backUp(): Promise<BackupState> {
    if (this.#backup === undefined) {
      throw new FsError("ENOSYS", "this metadata server has no place for copies");
    }
    const made = this.#backup.request();
    this.#backupLoop?.wake();
    return await made;
  }

  /** Which copies there are; undefined where none are made. */
  backups(): BackupState | undefined {
    return this.#backup?.state();
  }

  start(): void {
    for (const loop of this.#loops) loop.start();
  }

  report(): JobsReport {
    return {
      jobs: this.#loops.map((loop) => loop.status()),
      unreadableBlocks: this.#repair.unreadableBlocks,
      unexplainedBlocks: this.#survey.unexplained,
    };
  }

  async close(): Promise<void> {
    for (const stop of this.#stopListening) stop();
    await Promise.all(this.#loops.map((loop) => loop.close()));
    this.#backup?.close();
    await this.#store[Symbol.asyncDispose]();
    await this.#peers.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** One client a node, made when first needed, closed when the node moves or leaves. */
class PeerServices {
  readonly #connect: (node: MapNode) => ClosableShardService;
  readonly #services = new Map<string, ClosableShardService>();

  constructor(connect: (node: MapNode) => ClosableShardService) {
    this.#connect = connect;
  }

  of(node: MapNode): ClosableShardService {
    const key = placeOf(node);
    let service = this.#services.get(key);
    if (service === undefined) {
      service = this.#connect(node);
      this.#services.set(key, service);
    }
    return service;
  }

  keepOnly(nodes: readonly MapNode[]): void {
    const places = new Set(nodes.map(placeOf));
    for (const [place, service] of this.#services) {
      if (places.has(place)) continue;
      this.#services.delete(place);
      void service.close();
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#services.values()].map((service) => service.close()));
    this.#services.clear();
  }
}

/** Who, and where. */
function placeOf({ id, url }: MapNode): string {
  return `${id} ${url}`;
}
