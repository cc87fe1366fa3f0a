// What the metadata server's jobs delete, judged when they ask for it: whatever power cut comes
// then, no metadata that it brings back may cite it; a copy of what is cited goes only where
// another one is on disk.
import { formatShardId, type NodeId, type ShardId, type SliceId } from "../../domain/ids.ts";
import type { CommittedChanges, Engine, ReadTransaction } from "../../meta/engine/engine.ts";
import { fatesOfSlices, type SliceFate } from "../../meta/session/slice-fates.ts";
import type { ClosableShardService } from "../../stripes/nodes/node-link.ts";
import { keyText, MemoryTable } from "../store/memory-table.ts";
import { standsOnDisk } from "./stored-shards.ts";
import type { Machine } from "./machine.ts";
import type { ShardWatch } from "./shard-watch.ts";

/** Behind all keys. */
const END = Buffer.alloc(64, 0xff);

export interface DeleteWatchWorld {
  readonly engine: Engine;
  /** Machines of the nodes; undefined before the node has served. */
  readonly nodes: () => readonly { readonly id: NodeId | undefined; readonly machine: Machine }[];
  /** Where the shard belongs; undefined where that can't be said. */
  readonly homeOf: (id: ShardId) => NodeId | undefined;
  /** What it has may be gone or spoilt, whatever its node has found just now. */
  readonly isExcused: (machine: Machine) => boolean;
  readonly watch: ShardWatch;
  readonly broken: (what: string) => void;
}

type Changes = readonly (readonly [key: Uint8Array, value: Uint8Array | null])[];

export class DeleteWatch {
  readonly #world: DeleteWatchWorld;
  /** The metadata as a power cut brings it back at the least. */
  readonly #durable = new MemoryTable("durable");
  #durablePosition: number;
  /** Of each transaction behind that. */
  #later: Changes[] = [];

  /** @param world whose engine has just been opened */
  static async begin(world: DeleteWatchWorld): Promise<DeleteWatch> {
    const watch = new DeleteWatch(world);
    world.engine.follow((changes) => watch.#follow(changes));
    await world.engine.read((tx) => {
      for (const { key, value } of tx.range({ start: Buffer.alloc(0), end: END })) {
        watch.#durable.put(keyText(key), value);
      }
    });
    return watch;
  }

  private constructor(world: DeleteWatchWorld) {
    this.#world = world;
    this.#durablePosition = world.engine.position;
  }

  /** The same service, of which every deletion is judged. */
  watched(service: ClosableShardService, node: NodeId): ClosableShardService {
    return new Proxy(service, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== "function") return member;
        if (name === "deleteMany" || name === "park") {
          return (ids: readonly ShardId[], signal?: AbortSignal) => {
            this.#asked(node, ids, name);
            return target[name](ids, signal);
          };
        }
        return member.bind(target) as unknown;
      },
    });
  }

  #follow(changes: CommittedChanges): void {
    this.#later.push([...changes]);
  }

  #asked(node: NodeId, ids: readonly ShardId[], how: "deleteMany" | "park"): void {
    if (ids.length === 0) return;
    const slices = [...new Set(ids.map(({ slice }) => slice))];
    const history = this.#fates(slices);
    for (const id of ids) {
      const fates = history.map((states) => states.get(id.slice));
      if (!fates.some((fate) => fate === "live" || fate === "pending")) continue;
      // What came spoilt is set aside, whoever cites it.
      if (how === "park" && fates.at(-1) !== "orphan") continue;
      if (how === "deleteMany" && this.#standsElsewhere(node, id)) continue;
      const what = `${how} of shard ${formatShardId(id)} at ${node}`;
      const after = `is ${fates.join(", ")} after a power cut`;
      this.#world.broken(`${what}, which ${after}, and on no other disk`);
    }
  }

  /** Of each state that a power cut may bring back, the present one last. */
  #fates(slices: readonly SliceId[]): ReadonlyMap<SliceId, SliceFate>[] {
    this.#advance();
    const table = this.#durable;
    const before = new Map<string, Buffer | undefined>();
    const look = (): ReadonlyMap<SliceId, SliceFate> => {
      const fates = fatesOfSlices(readingOf(table), slices, Infinity);
      return new Map(slices.map((slice, at) => [slice, fates[at] ?? "unknown"]));
    };
    const all = [look()];
    for (const changes of this.#later) {
      for (const [key] of changes) {
        if (!before.has(keyText(key))) before.set(keyText(key), table.get(key));
      }
      apply(table, changes);
      all.push(look());
    }
    apply(
      table,
      [...before].map(([key, value]) => [Buffer.from(key, "latin1"), value ?? null]),
    );
    return all;
  }

  #advance(): void {
    const { durablePosition } = this.#world.engine;
    const reached = Math.max(0, durablePosition - this.#durablePosition);
    for (const changes of this.#later.splice(0, reached)) apply(this.#durable, changes);
    this.#durablePosition += reached;
  }

  /** Its home has it; or another node, which was its home when the job began. */
  #standsElsewhere(node: NodeId, id: ShardId): boolean {
    const { nodes, homeOf, watch, isExcused } = this.#world;
    const homeId = homeOf(id);
    const others = nodes().filter((other) => other.id !== undefined && other.id !== node);
    return (
      others.some((other) => other.id === homeId && isExcused(other.machine)) ||
      others.some(({ machine }) => standsOnDisk(machine.disk, id, watch))
    );
  }
}

function readingOf(table: MemoryTable): ReadTransaction {
  return {
    get: (key) => table.peek(key),
    range: (options) => table.range(options),
  };
}

function apply(table: MemoryTable, changes: Changes): void {
  for (const [key, value] of changes) {
    if (value === null) table.remove(keyText(key));
    else table.put(keyText(key), value);
  }
}
