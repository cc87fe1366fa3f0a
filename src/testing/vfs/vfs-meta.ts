// Sessions on one namespace in memory, for tests of the VFS: every request can be counted, failed,
// held up.
import type { Session } from "../../meta/session/session-registry.ts";
import type { Clock } from "../../platform/clock.ts";
import type { MetaEvents, MetaService, MetaSession } from "../../protocol/meta/meta-service.ts";
import { type LocalMeta, openLocalMeta } from "../meta/meta-server.ts";

type Method = keyof MetaService;

/** Runs around a request: call `go` to carry it out. What it returns or throws is the reply. */
export type MetaHook = (go: () => Promise<unknown>, args: readonly unknown[]) => Promise<unknown>;

export interface TestSession extends MetaSession {
  /** Requests of each kind so far. */
  readonly counts: Map<Method, number>;
  /** Replaces how requests of a kind are carried out, until it is deleted again. */
  readonly hooks: Map<Method, MetaHook>;
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
    const counts = new Map<Method, number>();
    const hooks = new Map<Method, MetaHook>();
    const lost: (() => void)[] = [];
    const ready: ((wait: number) => void)[] = [];
    const connect = (): void => {
      sessions.attach(session, {
        displaced: () => undefined,
        lockReady: (wait) => {
          for (const listener of ready) listener(wait);
        },
      });
    };
    connect();
    const request = async (method: Method, args: readonly unknown[]): Promise<unknown> => {
      counts.set(method, (counts.get(method) ?? 0) + 1);
      const { service } = session;
      // Each method is called with the arguments that were given for it.
      const carryOut = Reflect.get(service, method) as (...args: unknown[]) => Promise<unknown>;
      const go = (): Promise<unknown> => Reflect.apply(carryOut, service, args);
      const hook = hooks.get(method);
      return hook === undefined ? await go() : await hook(go, args);
    };
    const own = {
      counts,
      hooks,
      on: <K extends keyof MetaEvents>(event: K, listener: MetaEvents[K]): void => {
        if (event === "sessionLost") lost.push(listener as () => void); // K says so
        if (event === "lockReady") ready.push(listener as (wait: number) => void); // and here
      },
      lose: async (): Promise<void> => {
        await sessions.end(session);
        session = await this.#begin();
        connect();
        for (const listener of lost) listener();
      },
      close: () => sessions.end(session),
      [Symbol.asyncDispose]: () => sessions.end(session),
    };
    // Every method of MetaService goes through `request`, whose results are those of the service.
    // No "then": a session is no promise.
    return new Proxy(own, {
      get: (target, property): unknown => {
        if (property === "then") return undefined;
        return (
          Reflect.get(target, property) ??
          ((...args: readonly unknown[]) => request(property as Method, args))
        );
      },
    }) as unknown as TestSession;
  }

  async #begin(): Promise<Session> {
    const { session } = await this.#local.sessions.begin("tester", "vfs test");
    return session;
  }
}
