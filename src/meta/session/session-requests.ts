// Carries out one session's requests: reads and changes of the namespace, and services. A repeated
// change is answered as before.
import { FsError, isFsError } from "../../domain/errno.ts";
import type { SessionId } from "../../domain/ids.ts";
import type { Clock } from "../../platform/clock.ts";
import {
  rowOf,
  type ChangeOperation,
  type MetaArgs,
  type MetaOperation,
  type MetaResult,
  type ReadOperation,
} from "../../protocol/meta/meta-operations.ts";
import type { Ticket } from "../../protocol/rpc/served-connection.ts";
import type { ClusterRegistry } from "../cluster/cluster-registry.ts";
import type { Engine, ReadTransaction, Transaction } from "../engine/engine.ts";
import type { LockRegistry } from "../locks/lock-registry.ts";
import { abandonSlices } from "../namespace/slices.ts";
import type { NumberRanges } from "../namespace/number-ranges.ts";
import { CHANGES, READS, type Scope } from "../namespace/transactions.ts";
import { getReply, putReply, type StoredReply } from "../schema/session-records.ts";
import { SERVICES, type ServiceScope } from "./services.ts";

export interface SessionDependencies {
  readonly engine: Engine;
  readonly cluster: ClusterRegistry;
  readonly locks: LockRegistry;
  readonly clock: Clock;
  readonly numbers: NumberRanges;
  /** Every change waits for the disk, not only those asked to. */
  readonly strict: boolean;
}

export class SessionRequests {
  readonly #engine: Engine;
  readonly #numbers: NumberRanges;
  readonly #strict: boolean;
  readonly #scope: Scope;
  readonly #serviceScope: ServiceScope;

  constructor(dependencies: SessionDependencies, session: SessionId) {
    const { engine, cluster, locks, clock, numbers, strict } = dependencies;
    this.#engine = engine;
    this.#numbers = numbers;
    this.#strict = strict;
    this.#scope = { session, clock, ids: numbers };
    this.#serviceScope = { session, engine, cluster, locks };
  }

  /**
   * Answers at once where the engine does. With a ticket a change's answer is kept in the same
   * transaction, for a repetition.
   */
  invoke<O extends MetaOperation>(
    operation: O,
    args: MetaArgs<O>,
    ticket?: Ticket,
  ): MetaResult<O> | Promise<MetaResult<O>>;
  invoke(operation: MetaOperation, args: MetaArgs<MetaOperation>, ticket?: Ticket): unknown {
    // The signature above pairs each operation with its arguments.
    if (isRead(operation)) return this.#read(operation, args as MetaArgs<typeof operation>);
    if (isChange(operation)) {
      return this.#change(operation, args as MetaArgs<typeof operation>, ticket);
    }
    const service = SERVICES[operation] as (scope: ServiceScope, ...args: unknown[]) => unknown;
    return service(this.#serviceScope, ...args);
  }

  #read<O extends ReadOperation>(
    operation: O,
    args: MetaArgs<O>,
  ): MetaResult<O> | Promise<MetaResult<O>> {
    const read = READS[operation];
    return this.#engine.read((tx) => read(this.#scope, tx, ...args));
  }

  async #change<O extends ChangeOperation>(
    operation: O,
    args: MetaArgs<O>,
    ticket: Ticket | undefined,
  ): Promise<MetaResult<O>> {
    const engine = this.#engine;
    const scarce = this.#numbers.scarce();
    if (scarce !== undefined) await scarce;
    const durable =
      this.#strict || (operation === "commit" && (args as MetaArgs<"commit">)[0].durable);
    try {
      const result = await engine.transact((tx) => this.#step(tx, operation, args, ticket), {
        durable,
      });
      // It may have written nothing itself, and the flush of what it repeats may not have ended.
      if (durable && ticket?.resent === true) await engine.flush();
      return result;
    } catch (error) {
      if (operation === "commit" && isFsError(error, "ENOENT")) {
        // The file is gone, and with it all that could ever cite these slices.
        const [{ extents }] = args as MetaArgs<"commit">;
        await engine.transact((tx) => abandonSlices(tx, extents));
      }
      throw error;
    }
  }

  #step<O extends ChangeOperation>(
    tx: Transaction,
    operation: O,
    args: MetaArgs<O>,
    ticket: Ticket | undefined,
  ): MetaResult<O> {
    const { session } = this.#scope;
    if (ticket?.resent === true) {
      const stored = getReply(tx, session, ticket.slot);
      if (stored !== undefined && stored.sequence >= ticket.sequence) {
        return this.#replay(tx, operation, stored, ticket);
      }
    }
    if (grows(operation) && !this.#engine.hasRoom()) {
      throw new FsError("ENOSPC", "the metadata server's disk is full but for its reserve");
    }
    const result = CHANGES[operation](this.#scope, tx, ...args);
    if (ticket !== undefined) {
      const packed = rowOf(operation).result.pack(withoutExtents(result));
      putReply(tx, session, ticket.slot, { sequence: ticket.sequence, packed });
    }
    return result;
  }

  #replay<O extends ChangeOperation>(
    tx: ReadTransaction,
    operation: O,
    stored: StoredReply,
    ticket: Ticket,
  ): MetaResult<O> {
    if (stored.sequence !== ticket.sequence) {
      throw new FsError("EPROTO", "a request is older than the last of its reply slot");
    }
    const result = rowOf(operation).result.read(stored.packed);
    if (!hasFirstChunk(result)) return result;
    const [firstChunk] = READS.extents(this.#scope, tx, result.attr.ino, [0]);
    return firstChunk === undefined ? result : { ...result, firstChunk };
  }
}

function isRead(operation: MetaOperation): operation is ReadOperation {
  return rowOf(operation).kind === "read";
}

function isChange(operation: MetaOperation): operation is ChangeOperation {
  return rowOf(operation).kind === "change";
}

function grows(operation: ChangeOperation): boolean {
  const row = rowOf(operation);
  return row.kind === "change" && row.grows === true;
}

function hasFirstChunk<R>(result: R): result is R & MetaResult<"open"> {
  return typeof result === "object" && result !== null && "firstChunk" in result;
}

/** Stored replies are small: the extents are read again when one is needed. */
function withoutExtents<R>(result: R): R {
  if (!hasFirstChunk(result)) return result;
  return { ...result, firstChunk: { chunk: 0, extents: [] } };
}
