// A machine with a storage node's shards on a disk in memory: its power can be cut, its disk fails
// when a test says so, and what is asked of the disk is noted.
import type { ShardId } from "../../domain/ids.ts";
import { ShardStore, type ShardStoreOptions } from "../../storage/shards/shard-store.ts";
import { MemoryDisk, type DiskCall, type DiskFault } from "../disk/memory-disk.ts";
import { FakeClock } from "../fake-clock.ts";
import { storesOn } from "../store/disk-store.ts";
import { shardFile } from "./shard-node.ts";
import { TEST_CLUSTER } from "./test-name.ts";

const DIRECTORY = "/node";

export class MemoryMachine {
  readonly clock = new FakeClock();
  readonly disk = new MemoryDisk();
  /** What processes have asked of the disk, in order. */
  readonly calls: DiskCall[] = [];
  /** Damage found so far. */
  readonly found: [ShardId, string][] = [];
  /** Which calls fail. */
  fault: (call: DiskCall) => DiskFault | undefined = () => undefined;
  /** Which calls wait, and for what. */
  pause: (call: DiskCall) => Promise<void> | undefined = () => undefined;

  /** A start of the node's process; one that ran before is as good as killed. */
  start(options: Partial<ShardStoreOptions> = {}): Promise<ShardStore> {
    const disk = this.disk.view({
      fault: (call) => {
        this.calls.push(call);
        return this.fault(call);
      },
      pause: (call, when) => (when === "before" ? this.pause(call) : undefined),
      nowMs: () => this.clock.nowMs(),
    });
    return ShardStore.open({
      directory: DIRECTORY,
      cluster: () => TEST_CLUSTER,
      clock: this.clock,
      disk,
      openStore: storesOn(disk),
      onDamage: (id, kind) => this.found.push([id, kind]),
      ...options,
    });
  }

  /** Where the file of a shard too large to be packed stands. */
  pathOf(id: ShardId): string {
    return shardFile(DIRECTORY, id);
  }

  /** From now on the calls of this kind fail that are about `path`, or what is below it. */
  fail(what: DiskCall["what"], path: string, fault: DiskFault = "EIO"): void {
    this.fault = (call) => (call.what === what && call.path.startsWith(path) ? fault : undefined);
  }

  heal(): void {
    this.fault = () => undefined;
  }

  /** Disk calls of this kind on shard files and their folders so far. */
  callsOf(what: DiskCall["what"]): number {
    const inShards = ({ path }: DiskCall): boolean => path.startsWith(`${DIRECTORY}/shards`);
    return this.calls.filter((call) => call.what === what && inShards(call)).length;
  }
}
