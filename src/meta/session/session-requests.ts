// Carries out one session's requests: reads and changes of the namespace, and services. A repeated
// change is answered as before, one that a power cut undid is done again as it was done before.
import { FsError, isFsError } from "../../domain/errno.ts";
import type { SessionId } from "../../domain/ids.ts";
import { sliceBlocks } from "../../domain/layout.ts";
import type { Clock } from "../../platform/clock.ts";
import {
  rowOf,
  type ChangeOperation,
  type MetaArgs,
  type MetaOperation,
  type MetaResult,
  type ReadOperation,
} from "../../protocol/meta/meta-operations.ts";
import type { CommitRequest } from "../../protocol/meta/meta-service.ts";
import { changeTraceCodec, type ChangeTrace } from "../../protocol/meta/wire-trace.ts";
import { Acknowledged } from "../../protocol/rpc/acknowledged.ts";
import type { RedoOutcome, SlotTicket } from "../../protocol/rpc/redo.ts";
import type { Ticket } from "../../protocol/rpc/served-connection.ts";
import type { ClusterRegistry } from "../cluster/cluster-registry.ts";
import type { PlacedBlock } from "../cluster/placed-before.ts";
import { attempt } from "../engine/attempt.ts";
import type { Engine, ReadTransaction, Transaction } from "../engine/engine.ts";
import type { LockRegistry } from "../locks/lock-registry.ts";
import { abandonSlices } from "../namespace/slices.ts";
import { requireUnused } from "../namespace/inodes.ts";
import type { NumberRanges } from "../namespace/number-ranges.ts";
import { CHANGES, READS } from "../namespace/transactions.ts";
import {
  getReply,
  hasFailed,
  putFailedRedo,
  putReply,
  type StoredReply,
} from "../schema/session-records.ts";
import { changedMeanwhile, ChangeScope, GivenNumbers, requireSame } from "./change-scope.ts";
import { SERVICES, type ServiceScope } from "./services.ts";

/** Of what takes no ids and finds nothing by name. */
const NO_TRACE = changeTraceCodec.pack({ firstId: 0, time: { sec: 0, nsec: 0 }, met: [] });

export interface SessionDependencies {
  readonly engine: Engine;
  readonly cluster: ClusterRegistry;
  readonly locks: LockRegistry;
  readonly clock: Clock;
  readonly numbers: NumberRanges;
  /** Every change waits for the disk, not only those asked to. */
  readonly strict: boolean;
}

/** What a change came to: its result, and what its client is told beside it. */
interface Done<O extends ChangeOperation> {
  readonly result: MetaResult<O>;
  readonly position: number;
  /** As it travels. */
  readonly trace: unknown;
  /** The result as it travels, where it has been packed. */
  readonly packed?: unknown;
}

export class SessionRequests {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #numbers: NumberRanges;
  readonly #strict: boolean;
  readonly #serviceScope: ServiceScope;
  readonly #session: SessionId;
  /** The last acknowledged change that wasn't known to be on disk then. */
  #undurablePosition = 0;

  constructor(dependencies: SessionDependencies, session: SessionId) {
    const { engine, cluster, locks, clock, numbers, strict } = dependencies;
    this.#engine = engine;
    this.#clock = clock;
    this.#numbers = numbers;
    this.#strict = strict;
    this.#session = session;
    this.#serviceScope = {
      session,
      engine,
      cluster,
      locks,
      acknowledge: (result, position) => this.#acknowledge(result, position, NO_TRACE),
    };
  }

  /** The client waits to hear that everything up to here is on disk. */
  get undurablePosition(): number {
    return this.#undurablePosition;
  }

  /**
   * Answers at once where the engine does; a change as Acknowledged where its client has to know
   * more than the result. With a ticket its answer is kept in the same transaction, for a
   * repetition.
   */
  perform(operation: MetaOperation, args: MetaArgs<MetaOperation>, ticket?: Ticket): unknown {
    // Each operation comes with its own arguments, as the wire sees to it.
    if (isRead(operation)) return this.#read(operation, args as MetaArgs<typeof operation>);
    if (isChange(operation)) {
      return this.#change(operation, args as MetaArgs<typeof operation>, ticket);
    }
    const service = SERVICES[operation] as (scope: ServiceScope, ...args: unknown[]) => unknown;
    return service(this.#serviceScope, ...args);
  }

  /**
   * Does again what was acknowledged and a power cut undid, in the same way. What wasn't undone is
   * left alone. Those that are called in order are done in order.
   * @returns its position now, or why it can't be done: others have changed what it was about, or
   *   it is malformed
   * @throws FsError EIO when the store has failed or closes: nothing was decided
   */
  async redo(
    operation: MetaOperation,
    args: MetaArgs<MetaOperation>,
    ticket: SlotTicket | undefined,
    trace: unknown,
  ): Promise<RedoOutcome> {
    const outcome =
      ticket === undefined
        ? await this.#unlockAgain(operation, args)
        : await this.#changeAgain(operation, args, ticket, trace);
    if (typeof outcome === "number") {
      this.#undurablePosition = Math.max(this.#undurablePosition, outcome);
    }
    return outcome;
  }

  #read<O extends ReadOperation>(
    operation: O,
    args: MetaArgs<O>,
  ): MetaResult<O> | Promise<MetaResult<O>> {
    const read = READS[operation];
    return this.#engine.read((tx) => read(tx, ...args));
  }

  async #change<O extends ChangeOperation>(
    operation: O,
    args: MetaArgs<O>,
    ticket: Ticket | undefined,
  ): Promise<unknown> {
    const engine = this.#engine;
    const scarce = this.#numbers.scarce();
    if (scarce !== undefined) await scarce;
    const durable = this.#strict || commitOf(operation, args)?.durable === true;
    try {
      const step = (tx: Transaction): Done<O> => this.#step(tx, operation, args, ticket);
      const doubted = this.#doubtPlaced(operation, args);
      const done = engine.transact(step, { durable });
      const { result, position, trace, packed } = await (doubted === undefined
        ? done
        : both(done, doubted));
      // It may have written nothing itself, and the flush of what it repeats may not have ended.
      if (durable && ticket?.resent === true) await engine.flush();
      if (ticket === undefined || didNothing(operation, result)) return result;
      return this.#acknowledge(result, position, trace, packed);
    } catch (error) {
      const orphans = orphanedBy(operation, args, error);
      if (orphans.length > 0) await engine.transact((tx) => abandonSlices(tx, orphans));
      throw error;
    }
  }

  async #changeAgain(
    operation: MetaOperation,
    args: MetaArgs<MetaOperation>,
    ticket: SlotTicket,
    trace: unknown,
  ): Promise<RedoOutcome> {
    if (!isChange(operation)) return new FsError("EPROTO", `${operation} is no change`);
    let before: ChangeTrace;
    try {
      before = changeTraceCodec.read(trace);
    } catch (error) {
      if (isFsError(error)) return error;
      throw error;
    }
    const own = args as MetaArgs<typeof operation>; // as perform has it
    const doubted = this.#doubtPlaced(operation, own);
    const done = this.#engine.transact((tx) => this.#stepAgain(tx, operation, own, ticket, before));
    return await (doubted === undefined ? done : both(done, doubted));
  }

  /**
   * Blocks that were put by an older map may stand where repair has looked already. To be called
   * before the commit's transaction: it is on disk when that is.
   */
  #doubtPlaced(
    operation: ChangeOperation,
    args: MetaArgs<ChangeOperation>,
  ): Promise<void> | undefined {
    const { cluster } = this.#serviceScope;
    const present = cluster.current().epoch;
    const blocks: PlacedBlock[] = [];
    for (const extent of commitOf(operation, args)?.extents ?? []) {
      const { slice, pool, lengthBytes: storedBytes, epoch = present } = extent;
      if (epoch >= present) continue;
      for (const ref of sliceBlocks({ slice, pool, storedBytes })) blocks.push({ ref, epoch });
    }
    return blocks.length === 0 ? undefined : cluster.groups.doubtPlaced(blocks);
  }

  /** Locks are on disk before they are given; what was given back may have come back. */
  async #unlockAgain(
    operation: MetaOperation,
    args: MetaArgs<MetaOperation>,
  ): Promise<RedoOutcome> {
    const [request] = args as MetaArgs<"setlk">; // if it is what the next line wants
    if (operation !== "setlk" || request.type !== "unlock") {
      return new FsError("EPROTO", `${operation} is done again by its reply slot only`);
    }
    const { locks } = this.#serviceScope;
    try {
      return (await locks.set(this.#session, request)).position ?? this.#engine.position;
    } catch (error) {
      if (!isFsError(error)) throw error;
      // Fails, too, where it was the store's fault.
      await this.#engine.transact(() => undefined);
      return error;
    }
  }

  #acknowledge<T>(result: T, position: number, trace: unknown, packed?: unknown): Acknowledged<T> {
    // There will be nothing to be done again.
    const isDurable = position <= this.#engine.durablePosition;
    if (!isDurable) this.#undurablePosition = Math.max(this.#undurablePosition, position);
    return new Acknowledged(result, position, isDurable ? undefined : trace, packed);
  }

  #step<O extends ChangeOperation>(
    tx: Transaction,
    operation: O,
    args: MetaArgs<O>,
    ticket: Ticket | undefined,
  ): Done<O> {
    if (ticket?.resent === true) {
      const stored = getReply(tx, this.#session, ticket.slot);
      if (stored !== undefined && stored.sequence >= ticket.sequence) {
        return this.#replay(tx, operation, stored, ticket);
      }
    }
    if (grows(operation) && !this.#engine.hasRoom()) {
      throw new FsError("ENOSPC", "the metadata server's disk is full but for its reserve");
    }
    const scope = new ChangeScope(this.#session, this.#clock.now(), this.#numbers, false);
    return this.#carryOut(tx, operation, args, ticket, scope);
  }

  #stepAgain<O extends ChangeOperation>(
    tx: Transaction,
    operation: O,
    args: MetaArgs<O>,
    ticket: SlotTicket,
    before: ChangeTrace,
  ): RedoOutcome {
    const stored = getReply(tx, this.#session, ticket.slot);
    if (stored !== undefined) {
      // Its client hasn't heard of it. Later ones of its slot may have been done again.
      if (hasFailed(stored, ticket.sequence)) return changedMeanwhile();
      // It wasn't lost, or was done again before, and its client hasn't heard of that.
      if (stored.sequence >= ticket.sequence) return stored.position;
    }
    try {
      return attempt(tx, (part) => {
        const scope = this.#scopeAgain(part, before);
        // It may take of the reserve of a full disk, as it had its place there before.
        const { position } = this.#carryOut(part, operation, args, ticket, scope, stored?.failed);
        requireSame(before, scope.trace);
        return position;
      });
    } catch (error) {
      if (!isFsError(error)) throw error;
      abandonSlices(tx, orphanedBy(operation, args, error));
      putFailedRedo(tx, this.#session, ticket, stored);
      return error;
    }
  }

  #scopeAgain(tx: ReadTransaction, { time, firstId }: ChangeTrace): ChangeScope {
    const numbers = new GivenNumbers(firstId, (id) => {
      if (id >= this.#numbers.reservedBelow) throw changedMeanwhile();
      requireUnused(tx, id);
    });
    return new ChangeScope(this.#session, time, numbers, true);
  }

  #carryOut<O extends ChangeOperation>(
    tx: Transaction,
    operation: O,
    args: MetaArgs<O>,
    ticket: SlotTicket | undefined,
    scope: ChangeScope,
    failed?: StoredReply["failed"],
  ): Done<O> {
    const result = CHANGES[operation](scope, tx, ...args);
    const { position } = tx;
    const trace = changeTraceCodec.pack(scope.trace);
    if (ticket === undefined) return { result, position, trace };
    const kept = withoutExtents(result);
    const packed = rowOf(operation).result.pack(kept);
    const { slot, sequence } = ticket;
    const reply = { sequence, packed, position, trace };
    putReply(tx, this.#session, slot, failed === undefined ? reply : { ...reply, failed });
    return kept === result ? { result, position, trace, packed } : { result, position, trace };
  }

  /** What was answered before. */
  #replay<O extends ChangeOperation>(
    tx: ReadTransaction,
    operation: O,
    stored: StoredReply,
    ticket: Ticket,
  ): Done<O> {
    if (stored.sequence !== ticket.sequence) {
      throw new FsError("EPROTO", "a request is older than the last of its reply slot");
    }
    const { position, trace } = stored;
    const result = rowOf(operation).result.read(stored.packed);
    if (!hasFirstChunk(result)) return { result, position, trace };
    const [firstChunk] = READS.extents(tx, result.attr.ino, [0]);
    if (firstChunk === undefined) return { result, position, trace };
    return { result: { ...result, firstChunk }, position, trace };
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

/** A rename may ask for something else first. */
function didNothing<O extends ChangeOperation>(operation: O, result: MetaResult<O>): boolean {
  // The result is that operation's.
  return operation === "rename" && (result as MetaResult<"rename">).unsettled !== undefined;
}

/** Neither's failure is left alone. */
async function both<T>(one: Promise<T>, other: Promise<void>): Promise<T> {
  await Promise.all([one, other]);
  return await one;
}

function commitOf(
  operation: ChangeOperation,
  args: MetaArgs<ChangeOperation>,
): CommitRequest | undefined {
  return operation === "commit" ? (args as MetaArgs<"commit">)[0] : undefined; // as perform has it
}

/** A commit's file is gone, and with it all that could ever cite its slices. */
function orphanedBy(
  operation: ChangeOperation,
  args: MetaArgs<ChangeOperation>,
  error: unknown,
): CommitRequest["extents"] {
  return isFsError(error, "ENOENT") ? (commitOf(operation, args)?.extents ?? []) : [];
}

function hasFirstChunk<R>(result: R): result is R & MetaResult<"open"> {
  return typeof result === "object" && result !== null && "firstChunk" in result;
}

/** Stored replies are small: the extents are read again when one is needed. */
function withoutExtents<R>(result: R): R {
  if (!hasFirstChunk(result) || result.firstChunk.extents.length === 0) return result;
  return { ...result, firstChunk: { chunk: 0, extents: [] } };
}
