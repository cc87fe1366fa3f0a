// Is a shard good that somebody says is spoilt or missing? Its holder reads it, and so does repair,
// as a client would. What is not good is set aside.
import type { CellSeal } from "../../codec/cell-seal.ts";
import type { MapNode } from "../../domain/cluster-map.ts";
import { isFsError } from "../../domain/errno.ts";
import { CELL_BYTES } from "../../domain/format.ts";
import { formatShardId, type ShardId } from "../../domain/ids.ts";
import { passViolation } from "../../domain/invariant.ts";
import type { Log } from "../../observability/log.ts";
import { BoundedMap } from "../../platform/flow/bounded-map.ts";
import { MAX_SET_ASIDE_REMEMBERED, REPAIR_READ_BYTES } from "../limits.ts";
import type { NodeCalls } from "../node-calls.ts";

/** gone: the node has no such shard, or no longer. unsure: it could not be found out. */
export type CheckResult = "good" | "gone" | "unsure";

export class ShardCheck {
  readonly #calls: NodeCalls;
  readonly #seal: CellSeal;
  readonly #log: Log;
  /**
   * Copies that were set aside before, though their nodes called them good. If what was built in
   * their place comes spoilt, too, then it is the way to repair that spoils it.
   */
  readonly #setAside = new BoundedMap<string, true>(MAX_SET_ASIDE_REMEMBERED);

  constructor(calls: NodeCalls, seal: CellSeal, log: Log) {
    this.#calls = calls;
    this.#seal = seal;
    this.#log = log;
  }

  /** `isSpare`: the shard can be built anew without this copy. */
  async check(
    node: MapNode,
    id: ShardId,
    isSpare: boolean,
    signal: AbortSignal,
  ): Promise<CheckResult> {
    try {
      const [verdict] = await this.#calls.secure(node, [id], true, signal);
      if (verdict !== "secure") return "gone";
      // Twice, since what came spoilt may have been spoilt on the way.
      if (await this.#comesWhole(node, id, signal)) return "good";
      if (await this.#comesWhole(node, id, signal)) return "good";
      const name = `${node.id} ${formatShardId(id)}`;
      if (!isSpare || this.#setAside.get(name) === true) return "unsure";
      await this.#calls.park(node, [id], signal);
      this.#setAside.set(name, true);
      this.#log.warn({ node: node.id, shard: formatShardId(id) }, "a shard came spoilt: set aside");
      return "gone";
    } catch (error) {
      passViolation(error);
      if (signal.aborted) throw error;
      this.#log.debug({ err: error, node: node.id }, "a reported shard could not be checked");
      return "unsure";
    }
  }

  async #comesWhole(node: MapNode, id: ShardId, signal: AbortSignal): Promise<boolean> {
    const buffer = Buffer.allocUnsafe(REPAIR_READ_BYTES);
    let sizeBytes = Infinity;
    try {
      for (let offset = 0; offset < sizeBytes; offset += REPAIR_READ_BYTES) {
        const slab = await this.#calls.get(node, id, offset, buffer, signal);
        const firstCell = offset / CELL_BYTES;
        if (this.#seal.corruptCells(id, slab.bytes, slab.cellCrcs, firstCell).length > 0)
          return false;
        sizeBytes = slab.sizeBytes;
      }
      return true;
    } catch (error) {
      if (isFsError(error, "EBADMSG") || isFsError(error, "ENOENT")) return false;
      throw error;
    }
  }
}
