// A namespace on an engine, with the shorthands that tests of it want.
import { ROOT_CALLER, type Attr } from "../../domain/attributes.ts";
import { isFsError, type ErrnoName } from "../../domain/errno.ts";
import { DEFAULT_POOL, ROOT_INO } from "../../domain/ids.ts";
import type { Ino, Name, SessionId, SliceId } from "../../domain/ids.ts";
import { CHUNK_BYTES } from "../../domain/format.ts";
import type { Engine, ReadTransaction, Transaction } from "../../meta/engine/engine.ts";
import { commitExtents } from "../../meta/namespace/data.ts";
import { formatNamespace } from "../../meta/namespace/inodes.ts";
import { NumberRanges, type NumberSource } from "../../meta/namespace/number-ranges.ts";
import { reapStep } from "../../meta/namespace/reaper.ts";
import { CHANGES, READS, type Scope } from "../../meta/namespace/transactions.ts";
import { attrOf } from "../../meta/schema/inode.ts";
import type {
  ChangeOperation,
  MetaArgs,
  MetaResult,
  ReadOperation,
} from "../../protocol/meta/meta-operations.ts";
import type { CreateReply, ExtentCommit } from "../../protocol/meta/meta-service.ts";
import { putSession } from "../../meta/schema/session-records.ts";
import { checkStore } from "../../meta/fsck/check-store.ts";
import { FakeClock } from "../fake-clock.ts";

export const SESSION = 7 as SessionId;
export const OTHER_SESSION = 8 as SessionId;

const TEST_SESSION = {
  user: "tester",
  clientName: "test",
  beganMs: 0,
  secretHash: "",
  ending: false,
};

/** The operations as one session sees them. */
export type NamespaceCalls = {
  readonly [O in ReadOperation]: (tx: ReadTransaction, ...args: MetaArgs<O>) => MetaResult<O>;
} & {
  readonly [O in ChangeOperation]: (tx: Transaction, ...args: MetaArgs<O>) => MetaResult<O>;
};

export function namespaceCalls(scope: Scope): NamespaceCalls {
  const bound = Object.entries(CHANGES).map(([name, operation]) => {
    const call = (...args: readonly unknown[]): unknown =>
      Reflect.apply(operation, undefined, [scope, ...args]);
    return [name, call];
  });
  // The two tables hold every operation, and binding a change's scope leaves the other arguments.
  return { ...READS, ...Object.fromEntries(bound) } as NamespaceCalls;
}

export class TestNamespace implements AsyncDisposable {
  readonly engine: Engine;
  readonly clock = new FakeClock();
  readonly scope: Scope;
  readonly calls: NamespaceCalls;
  #nextSlice = 1;

  private constructor(engine: Engine, ids: NumberSource) {
    this.engine = engine;
    const { clock } = this;
    this.scope = {
      session: SESSION,
      get now() {
        return clock.now();
      },
      ids,
      isRedo: false,
      met: () => undefined,
    };
    this.calls = namespaceCalls(this.scope);
  }

  static async on(engine: Engine): Promise<TestNamespace> {
    const fixture = new TestNamespace(engine, await NumberRanges.open(engine));
    await fixture.do((_ns, tx) => {
      formatNamespace(tx, fixture.clock.now());
      for (const session of [SESSION, OTHER_SESSION]) putSession(tx, session, TEST_SESSION);
    });
    return fixture;
  }

  do<T>(step: (ns: NamespaceCalls, tx: Transaction) => T): Promise<T> {
    return this.engine.transact((tx) => step(this.calls, tx));
  }

  async see<T>(look: (ns: NamespaceCalls, tx: ReadTransaction) => T): Promise<T> {
    return this.engine.read((tx) => look(this.calls, tx));
  }

  /** The errno with which a step fails, or "ok". */
  async errno(step: (ns: NamespaceCalls, tx: Transaction) => unknown): Promise<ErrnoName | "ok"> {
    try {
      await this.do(step);
      return "ok";
    } catch (error) {
      if (isFsError(error)) return error.code;
      throw error;
    }
  }

  /** A new file, not open. */
  async file(
    name: string,
    { parent = ROOT_INO, mode = 0o644, caller = ROOT_CALLER } = {},
  ): Promise<Attr> {
    return this.do((ns, tx) => ns.mknod(tx, caller, parent, name as Name, { mode }));
  }

  async directory(
    name: string,
    { parent = ROOT_INO, mode = 0o755, caller = ROOT_CALLER } = {},
  ): Promise<Attr> {
    return this.do((ns, tx) => ns.mkdir(tx, caller, parent, name as Name, mode));
  }

  async create(name: string, parent = ROOT_INO): Promise<CreateReply> {
    return this.do((ns, tx) =>
      ns.create(tx, ROOT_CALLER, parent, name as Name, { mode: 0o644 }, true),
    );
  }

  /** An extent of a slice of its own, not yet committed. */
  extent(offset: number, lengthBytes: number, inline?: Uint8Array): ExtentCommit {
    const extent: ExtentCommit = {
      chunk: Math.floor(offset / CHUNK_BYTES),
      posInChunk: offset % CHUNK_BYTES,
      lengthBytes,
      slice: this.#nextSlice++ as SliceId,
      pool: DEFAULT_POOL,
    };
    return inline === undefined ? extent : { ...extent, inline };
  }

  /** Whoever the slices were handed to. */
  async commit(ino: Ino, extents: ExtentCommit[], minSizeBytes = 0): Promise<Attr> {
    const mtime = { sec: 5, nsec: 6 };
    const rest = { minSizeBytes, mtime, killPrivileges: false, durable: false };
    const request = { ino, extents, ...rest };
    return this.do((_ns, tx) =>
      attrOf(commitExtents(tx, request, { session: SESSION, now: this.clock.now() })),
    );
  }

  /** Reaps until nothing waits; returns the number of steps. */
  async reapAll(limit = 1000): Promise<number> {
    let steps = 0;
    while ((await this.do((_ns, tx) => reapStep(tx, limit))) > 0) steps += 1;
    return steps;
  }

  /** What fsck says; nothing of a sound store. */
  broken(): Promise<string[]> {
    return this.see((_ns, tx) => [...checkStore(tx)].map(({ what }) => what));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine.close();
  }
}
