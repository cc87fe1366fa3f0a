// MetaService for one session, over the engine and the namespace. The RPC server calls `invoke`,
// where a repeated request is answered as before; code in this process calls the methods.
import type { StatFs } from "../../domain/attributes.ts";
import type { ClusterMap, MapHistory } from "../../domain/cluster-map.ts";
import { FsError, isFsError } from "../../domain/errno.ts";
import type { SessionId } from "../../domain/ids.ts";
import type {
  DamageReport,
  LockConflict,
  LockQuery,
  LockReply,
  LockRequest,
  MetaService,
  SliceRange,
} from "../../protocol/meta/meta-service.ts";
import { META_CODECS } from "../../protocol/meta/methods.ts";
import type { MetaArgs, MetaMethod, MetaResult } from "../../protocol/meta/methods.ts";
import type { Ticket } from "../../protocol/meta/served-connection.ts";
import type { ClusterRegistry } from "../cluster/cluster-registry.ts";
import type { Engine, ReadTransaction, Transaction } from "../engine/engine.ts";
import type { LockRegistry } from "../locks/lock-registry.ts";
import type { Namespace } from "../namespace/namespace.ts";
import { getReply, putReply, takeSliceRange, type StoredReply } from "../schema/session-records.ts";
import {
  CHANGES,
  GROWING,
  READS,
  type ChangeMethod,
  type ReadMethod,
  type Scope,
} from "./session-operations.ts";

export interface SessionDependencies {
  readonly engine: Engine;
  readonly namespace: Namespace;
  readonly cluster: ClusterRegistry;
  readonly locks: LockRegistry;
  /** Every change waits for the disk, not only those asked to. */
  readonly strict: boolean;
}

type Method<M extends MetaMethod> = (...args: MetaArgs<M>) => Promise<MetaResult<M>>;

export class SessionMetaService implements MetaService {
  readonly #deps: SessionDependencies;
  readonly #scope: Scope;

  constructor(deps: SessionDependencies, session: SessionId) {
    this.#deps = deps;
    this.#scope = { namespace: deps.namespace, session };
  }

  readonly lookup = this.#reader("lookup");
  readonly getattr = this.#reader("getattr");
  readonly readlink = this.#reader("readlink");
  readonly readdir = this.#reader("readdir");
  readonly parentOf = this.#reader("parentOf");
  readonly extents = this.#reader("extents");
  readonly nextData = this.#reader("nextData");
  readonly getxattr = this.#reader("getxattr");
  readonly listxattr = this.#reader("listxattr");
  readonly setattr = this.#changer("setattr");
  readonly create = this.#changer("create");
  readonly mkdir = this.#changer("mkdir");
  readonly mknod = this.#changer("mknod");
  readonly symlink = this.#changer("symlink");
  readonly link = this.#changer("link");
  readonly unlink = this.#changer("unlink");
  readonly rmdir = this.#changer("rmdir");
  readonly rename = this.#changer("rename");
  readonly open = this.#changer("open");
  readonly release = this.#changer("release");
  readonly commit = this.#changer("commit");
  readonly abandon = this.#changer("abandon");
  readonly createUnnamed = this.#changer("createUnnamed");
  readonly changeRange = this.#changer("changeRange");
  readonly copyRange = this.#changer("copyRange");
  readonly setxattr = this.#changer("setxattr");
  readonly removexattr = this.#changer("removexattr");

  /**
   * Runs a request that came in. Answers at once where the engine does. `args` are those of the
   * method, already checked.
   */
  invoke(method: MetaMethod, args: readonly unknown[], ticket: Ticket | undefined): unknown {
    // The caller's codec table pairs each method with its arguments.
    if (isRead(method)) return this.read(method, args as MetaArgs<typeof method>);
    if (isChange(method)) return this.change(method, args as MetaArgs<typeof method>, ticket);
    return (this[method] as (...args: readonly unknown[]) => unknown)(...args);
  }

  /** A read, answered at once where the engine does. */
  read<M extends ReadMethod>(method: M, args: MetaArgs<M>): MetaResult<M> | Promise<MetaResult<M>> {
    const operation = READS[method] as (
      scope: Scope,
      tx: ReadTransaction,
      ...args: MetaArgs<M>
    ) => MetaResult<M>;
    return this.#deps.engine.read((tx) => operation(this.#scope, tx, ...args));
  }

  /** A change. With a ticket its answer is kept in the same transaction, for a repetition. */
  async change<M extends ChangeMethod>(
    method: M,
    args: MetaArgs<M>,
    ticket?: Ticket,
  ): Promise<MetaResult<M>> {
    const { engine, strict } = this.#deps;
    const durable = strict || (method === "commit" && (args as MetaArgs<"commit">)[0].durable);
    try {
      const result = await engine.transact((tx) => this.#step(tx, method, args, ticket), {
        durable,
      });
      // It may have written nothing itself, and the flush of what it repeats may not have ended.
      if (durable && ticket?.resent === true) await engine.flush();
      return result;
    } catch (error) {
      if (method === "commit" && isFsError(error, "ENOENT")) {
        await this.#abandon(args as MetaArgs<"commit">);
      }
      throw error;
    }
  }

  async allocateSlices(): Promise<SliceRange> {
    const { session } = this.#scope;
    return await this.#deps.engine.transact((tx) => takeSliceRange(tx, session), { durable: true });
  }

  async syncMetadata(): Promise<void> {
    await this.#deps.engine.flush();
  }

  async statfs(): Promise<StatFs> {
    const { engine, namespace, cluster } = this.#deps;
    const { inodes } = await engine.read((tx) => namespace.usage(tx));
    const { totalBytes, usedBytes } = cluster.capacity(defaultPool(cluster.current()));
    return { totalBytes, freeBytes: Math.max(0, totalBytes - usedBytes), inodes };
  }

  getlk(query: LockQuery): Promise<LockConflict | undefined> {
    return this.#deps.locks.get(this.#scope.session, query);
  }

  setlk(request: LockRequest): Promise<LockReply> {
    return this.#deps.locks.set(this.#scope.session, request);
  }

  cancelLock(request: LockRequest): Promise<boolean> {
    return this.#deps.locks.cancel(this.#scope.session, request);
  }

  async maps(): Promise<MapHistory> {
    return await Promise.resolve(this.#deps.cluster.history());
  }

  async reportDamage(reports: readonly DamageReport[]): Promise<void> {
    await this.#deps.cluster.reportDamage(reports);
  }

  #step<M extends ChangeMethod>(
    tx: Transaction,
    method: M,
    args: MetaArgs<M>,
    ticket: Ticket | undefined,
  ): MetaResult<M> {
    const { session } = this.#scope;
    if (ticket?.resent === true) {
      const stored = getReply(tx, session, ticket.slot);
      if (stored !== undefined && stored.sequence >= ticket.sequence) {
        return this.#replay(tx, method, stored, ticket);
      }
    }
    if (GROWING.has(method) && !this.#deps.engine.hasRoom()) {
      throw new FsError("ENOSPC", "the metadata server's disk is full but for its reserve");
    }
    const operation = CHANGES[method] as (
      scope: Scope,
      tx: Transaction,
      ...args: MetaArgs<M>
    ) => MetaResult<M>;
    const result = operation(this.#scope, tx, ...args);
    if (ticket !== undefined) {
      const packed = META_CODECS[method].result.pack(withoutExtents(result));
      putReply(tx, session, ticket.slot, { sequence: ticket.sequence, packed });
    }
    return result;
  }

  #replay<M extends ChangeMethod>(
    tx: ReadTransaction,
    method: M,
    stored: StoredReply,
    ticket: Ticket,
  ): MetaResult<M> {
    if (stored.sequence !== ticket.sequence) {
      throw new FsError("EPROTO", "a request is older than the last of its reply slot");
    }
    const result: MetaResult<M> = META_CODECS[method].result.read(stored.packed);
    if (!hasFirstChunk(result)) return result;
    const [firstChunk] = this.#deps.namespace.extents(tx, result.attr.ino, [0]);
    return firstChunk === undefined ? result : { ...result, firstChunk };
  }

  /** The file is gone, and with it all that could ever cite these slices. */
  async #abandon([request]: MetaArgs<"commit">): Promise<void> {
    const { engine, namespace } = this.#deps;
    await engine.transact((tx) => namespace.abandon(tx, request.extents));
  }

  #reader<M extends ReadMethod>(method: M): Method<M> {
    // The executor turns what is thrown into a rejection.
    return (...args) => new Promise((resolve) => resolve(this.read(method, args)));
  }

  #changer<M extends ChangeMethod>(method: M): Method<M> {
    return (...args) => this.change(method, args);
  }
}

function isRead(method: MetaMethod): method is ReadMethod {
  return Object.hasOwn(READS, method);
}

function isChange(method: MetaMethod): method is ChangeMethod {
  return Object.hasOwn(CHANGES, method);
}

function hasFirstChunk<R>(result: R): result is R & MetaResult<"open"> {
  return typeof result === "object" && result !== null && "firstChunk" in result;
}

/** Stored replies are small: the extents are read again when one is needed. */
function withoutExtents<R>(result: R): R {
  if (!hasFirstChunk(result)) return result;
  return { ...result, firstChunk: { chunk: 0, extents: [] } };
}

function defaultPool(map: ClusterMap): ClusterMap["pools"][number] {
  const [pool] = map.pools;
  if (pool === undefined) throw new FsError("EIO", "the cluster has no pool");
  return pool;
}
