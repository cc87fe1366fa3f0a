// Sessions on one namespace in memory, for tests of the VFS: every request can be counted, failed, held up.
import type { SessionId } from "../domain/ids.ts";
import type { StatFs } from "../domain/attributes.ts";
import { MemoryEngine } from "../meta/engine/memory-engine.ts";
import { Namespace } from "../meta/namespace/namespace.ts";
import { CHANGES, READS, type Scope } from "../meta/session/session-operations.ts";
import { takeSliceRange } from "../meta/session/session-records.ts";
import type { Clock } from "../platform/clock.ts";
import type { MetaEvents, MetaService, MetaSession } from "../protocol/meta-service.ts";

type Method = keyof MetaService;

/** Runs around a request: call `go` to carry it out. What it returns or throws is the reply. */
export type MetaHook = (go: () => Promise<unknown>, args: readonly unknown[]) => Promise<unknown>;

export interface TestSession extends MetaSession {
  /** Requests of each kind so far. */
  readonly counts: Map<Method, number>;
  /** Replaces how requests of a kind are carried out, until it is deleted again. */
  readonly hooks: Map<Method, MetaHook>;
  /** Tells the client that the server has lost the session; it goes on with a new one. */
  lose(): Promise<void>;
}

export class TestNamespace {
  readonly #engine = new MemoryEngine();
  readonly #namespace: Namespace;
  #sessions = 0;

  private constructor(clock: Clock) {
    this.#namespace = new Namespace({ clock });
  }

  static async create(clock: Clock): Promise<TestNamespace> {
    const created = new TestNamespace(clock);
    await created.#engine.transact((tx) => created.#namespace.format(tx));
    return created;
  }

  newSession(): TestSession {
    let scope = this.#newScope();
    const counts = new Map<Method, number>();
    const hooks = new Map<Method, MetaHook>();
    const lost: (() => void)[] = [];
    const request = async (method: Method, args: readonly unknown[]): Promise<unknown> => {
      counts.set(method, (counts.get(method) ?? 0) + 1);
      const go = (): Promise<unknown> => this.#carryOut(scope, method, args);
      const hook = hooks.get(method);
      return hook === undefined ? await go() : await hook(go, args);
    };
    const own = {
      counts,
      hooks,
      on: <K extends keyof MetaEvents>(event: K, listener: MetaEvents[K]): void => {
        if (event === "sessionLost") lost.push(listener as () => void); // K says so
      },
      lose: async (): Promise<void> => {
        await this.#end(scope);
        scope = this.#newScope();
        for (const listener of lost) listener();
      },
      close: () => this.#end(scope),
      [Symbol.asyncDispose]: () => this.#end(scope),
    };
    // Every method of MetaService goes through `request`, whose results are those of the namespace.
    return new Proxy(own, {
      get: (target, property): unknown =>
        Reflect.get(target, property) ??
        ((...args: readonly unknown[]) => request(property as Method, args)),
    }) as unknown as TestSession;
  }

  #newScope(): Scope {
    this.#sessions += 1;
    return { namespace: this.#namespace, session: this.#sessions as SessionId };
  }

  async #end(scope: Scope): Promise<void> {
    await this.#engine.transact((tx) => this.#namespace.closeSession(tx, scope.session));
  }

  async #carryOut(scope: Scope, method: Method, args: readonly unknown[]): Promise<unknown> {
    const engine = this.#engine;
    await Promise.resolve();
    if (method === "allocateSlices") {
      return await engine.transact((tx) => takeSliceRange(tx, scope.session));
    }
    if (method === "syncMetadata") {
      await engine.flush();
      return undefined;
    }
    if (method === "statfs")
      return { totalBytes: 1e12, freeBytes: 1e12, inodes: 1 } satisfies StatFs;
    if (method === "maps" || method === "reportDamage") return undefined;
    // The tables hold functions of exactly these arguments.
    type Operation = (scope: Scope, tx: unknown, ...args: readonly unknown[]) => unknown;
    if (Object.hasOwn(READS, method)) {
      const operation = READS[method as keyof typeof READS] as unknown as Operation;
      return engine.read((tx) => operation(scope, tx, ...args));
    }
    const operation = CHANGES[method as keyof typeof CHANGES] as unknown as Operation;
    return await engine.transact((tx) => operation(scope, tx, ...args));
  }
}
