// The candidates for one slot in one read: which node to ask next, and what was learnt from those
// asked.
import type { NodeLink } from "./nodes/node-link.ts";

/** idle: nobody is being asked. asking: a request is under way. have: verified bytes are there. */
export type SlotState = "idle" | "asking" | "have";

export class SlotSearch {
  readonly slot: number;
  state: SlotState = "idle";
  /** The request under way has taken longer than it should. */
  isSlow = false;
  /** Requests that brought nothing. */
  failures = 0;
  /** Verified bytes once the state is "have". */
  bytes: Uint8Array | undefined;
  readonly #untried: NodeLink[];
  /** Failed in a way that a second try may mend. */
  readonly #retriable: NodeLink[] = [];
  readonly #retried: NodeLink[] = [];
  /** Certainly without a good shard. */
  readonly #barren: NodeLink[] = [];

  /** @param candidates likeliest first; the search uses them up */
  constructor(slot: number, candidates: NodeLink[]) {
    this.slot = slot;
    this.#untried = candidates;
  }

  /** Takes the best candidate that a read may count on. */
  takeReadable(): NodeLink | undefined {
    const at = this.#untried.findIndex((link) => link.isReadable);
    return at < 0 ? undefined : this.#untried.splice(at, 1)[0];
  }

  get hasReadable(): boolean {
    return this.#untried.some((link) => link.isReadable);
  }

  /** Takes any candidate left, nodes believed dead and those that failed once included. */
  takeAny(): NodeLink | undefined {
    return this.#untried.shift() ?? this.#retriable.shift();
  }

  failed(link: NodeLink, mayRetry: boolean): void {
    this.state = "idle";
    this.isSlow = false;
    this.failures++;
    if (!mayRetry) {
      this.#barren.push(link);
    } else if (!this.#retried.includes(link)) {
      this.#retried.push(link);
      this.#retriable.push(link);
    }
  }

  /** The shard was found on `link`. False when that node has already been found wanting. */
  found(link: NodeLink): boolean {
    if (this.state !== "idle" || this.#barren.includes(link)) return false;
    this.#untried.unshift(link);
    return true;
  }
}
