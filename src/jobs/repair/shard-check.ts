// Is a shard good that somebody says is spoilt or missing? Its holder reads it, and so does repair,
// as a client would. What is not good is set aside.
import type { CellSeal } from "../../codec/cell-seal.ts";
import type { MapNode } from "../../domain/cluster-map.ts";
import { isFsError } from "../../domain/errno.ts";
import { CELL_BYTES } from "../../domain/format.ts";
import type { ShardId } from "../../domain/ids.ts";
import { passViolation } from "../../domain/invariant.ts";
import type { Log } from "../../observability/log.ts";
import { REPAIR_READ_BYTES } from "../limits.ts";
import type { NodeCalls } from "../node-calls.ts";

/** gone: the node has no such shard, or no longer. unsure: it could not be found out. */
export type CheckResult = "good" | "gone" | "unsure";

export class ShardCheck {
  readonly #calls: NodeCalls;
  readonly #seal: CellSeal;
  readonly #log: Log;
  constructor(calls: NodeCalls, seal: CellSeal, log: Log) {
    this.#calls = calls;
    this.#seal = seal;
    this.#log = log;
  }

  async check(node: MapNode, id: ShardId, signal: AbortSignal): Promise<CheckResult> {
    try {
      const [verdict] = await this.#calls.secure(node, [id], true, signal);
      if (verdict !== "secure") return "gone";
      // Twice, since what came spoilt may have been spoilt on the way.
      if (await this.#comesWhole(node, id, signal)) return "good";
      if (await this.#comesWhole(node, id, signal)) return "good";
      return "unsure";
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
