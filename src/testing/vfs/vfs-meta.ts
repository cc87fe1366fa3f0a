// Sessions on one namespace in memory, for tests of the VFS: every request can be counted, failed,
// held up.
import type { Session } from "../../meta/session/session-registry.ts";
import type { Clock } from "../../platform/clock.ts";
import { makeMetaService } from "../../protocol/meta/meta-calls.ts";
import type { MetaArgs, MetaOperation } from "../../protocol/meta/meta-operations.ts";
import { SessionListeners } from "../../protocol/meta/session-listeners.ts";
import type { MetaSession } from "../../protocol/meta/meta-service.ts";
import { invoke } from "../meta/invoke.ts";
import { type LocalMeta, openLocalMeta } from "../meta/meta-server.ts";

/** Runs around a request: call `go` to carry it out. What it returns or throws is the reply. */
export type MetaHook = (go: () => Promise<unknown>, args: readonly unknown[]) => Promise<unknown>;

export interface TestSession extends MetaSession {
  /** Requests of each kind so far. */
  readonly counts: Map<MetaOperation, number>;
  /** Replaces how requests of a kind are carried out, until it is deleted again. */
  readonly hooks: Map<MetaOperation, MetaHook>;
  /** The server loses the session and tells the client, which goes on with a new one. */
  lose(): Promise<void>;
}

export class TestNamespace {
  readonly #local: LocalMeta;

  private constructor(local: LocalMeta) {
    this.#local = local;
  }

  static async create(clock: Clock): Promise<TestNamespace> {
    return new TestNamespace(await openLocalMeta({ clock }));
  }

  async newSession(): Promise<TestSession> {
    const { sessions } = this.#local;
    let session = await this.#begin();
    const counts = new Map<MetaOperation, number>();
    const hooks = new Map<MetaOperation, MetaHook>();
    const listeners = new SessionListeners();
    const connect = (): void => {
      sessions.attach(session, {
        displaced: () => undefined,
        push: (name, value) => {
          // Nothing is kept here until it is on disk.
          if (name !== "durable") listeners.pushed(name, value);
        },
      });
    };
    connect();
    const request = async (method: MetaOperation, args: readonly unknown[]): Promise<unknown> => {
      counts.set(method, (counts.get(method) ?? 0) + 1);
      // Each method is called with the arguments that were given for it.
      const go = (): Promise<unknown> =>
        invoke(session.requests, method, args as MetaArgs<typeof method>);
      const hook = hooks.get(method);
      return hook === undefined ? await go() : await hook(go, args);
    };
    return {
      clusterId: this.#local.cluster.clusterId,
      ...makeMetaService(({ name }, args) => request(name, args)),
      counts,
      hooks,
      on: (event, listener) => listeners.on(event, listener),
      lose: async () => {
        await sessions.end(session);
        session = await this.#begin();
        connect();
        listeners.happened("sessionLost");
      },
      close: () => sessions.end(session),
      [Symbol.asyncDispose]: () => sessions.end(session),
    };
  }

  async #begin(): Promise<Session> {
    const { session } = await this.#local.sessions.begin("tester", "vfs test");
    return session;
  }
}
