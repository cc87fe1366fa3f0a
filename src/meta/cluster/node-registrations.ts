// Which process serves as which node. A node's name can be copied with its directory and its
// address can be anybody's, so that a process is known by the nonce of its start, and of two with
// one name the first stays.
import { FsError } from "../../domain/errno.ts";
import type { NodeId } from "../../domain/ids.ts";

/** A process that serves, or would serve, as a node. */
export interface NodeProcess {
  /** Drawn at its start. */
  readonly nonce: string;
  readonly url: string;
  /** Number of its start, counted by its data. */
  readonly start: number;
}

/** How a process that may register differs from the one before. */
export interface Arrival {
  /** It began after the one before ended: what that one hadn't flushed may be gone. */
  readonly isNewStart: boolean;
  /** Its data has counted no further than data that served before: a copy, or a disk put back. */
  readonly isOlder: boolean;
}

export class NodeRegistrations {
  /** The last one of each node, from before this server's start too. */
  readonly #last = new Map<NodeId, NodeProcess>();
  /** Those that have registered with this run of the server. */
  readonly #present = new Map<NodeId, NodeProcess>();
  /** Those whose registration is being stored. */
  readonly #claims = new Map<NodeId, NodeProcess>();
  readonly #patienceMs: number;

  /** @param patienceMs a process that was heard of within it still serves */
  constructor(known: Iterable<NodeProcess & { readonly id: NodeId }>, patienceMs: number) {
    for (const { id, nonce, url, start } of known) this.#last.set(id, { nonce, url, start });
    this.#patienceMs = patienceMs;
  }

  /** True when the node has registered with this run of the server: it knows whose it is. */
  isRegistered(id: NodeId): boolean {
    return this.#present.has(id);
  }

  /**
   * Takes the node's place for `process`, until `confirm` or `withdraw`.
   * @param silentMs since when the one before, if any, wasn't heard of
   * @throws FsError EBUSY another process has it
   */
  claim(id: NodeId, process: NodeProcess, silentMs: number): Arrival {
    const claimed = this.#claims.get(id);
    const holder = claimed ?? this.#last.get(id);
    const isSame = holder?.nonce === process.nonce;
    if (holder !== undefined && !isSame && holder.url !== process.url) {
      // At one URL there is one process: the one that says that it is there.
      const isHeard = claimed !== undefined || silentMs < this.#patienceMs;
      if (isHeard) throw taken(id, holder);
    }
    this.#claims.set(id, process);
    const last = this.#last.get(id);
    const isNewStart = last?.nonce !== process.nonce;
    return { isNewStart, isOlder: isNewStart && process.start <= (last?.start ?? 0) };
  }

  /** The registration is on disk. */
  confirm(id: NodeId, process: NodeProcess): void {
    if (this.#claims.get(id) === process) this.#claims.delete(id);
    this.#last.set(id, process);
    this.#present.set(id, process);
  }

  /** The registration couldn't be stored. */
  withdraw(id: NodeId, process: NodeProcess): void {
    if (this.#claims.get(id) === process) this.#claims.delete(id);
  }

  /**
   * The process that sends a heartbeat is the one that serves as the node.
   * @throws FsError ENOENT it must register first, EBUSY another one serves: it must end
   */
  check(id: NodeId, sender: Omit<NodeProcess, "start">): void {
    const present = this.#present.get(id);
    if (present !== undefined && present.nonce !== sender.nonce) throw taken(id, present);
    if (present?.url !== sender.url) throw new FsError("ENOENT", `node ${id} must register`);
  }
}

function taken(id: NodeId, { url }: NodeProcess): FsError {
  const advice = "a copied data directory can't be served beside the original";
  return new FsError("EBUSY", `another process serves as node ${id} at ${url}: ${advice}`);
}
