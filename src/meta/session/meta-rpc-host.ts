// Joins RPC connections to sessions: who may connect, which session a greeting begins or resumes.
import type { Accounts, Principal } from "../../auth/accounts.ts";
import { bearerToken } from "../../auth/token.ts";
import { CLOSE_GOING_AWAY, type Message } from "../../protocol/rpc/frame-channel.ts";
import { packWelcome, readHello } from "../../protocol/meta/hello.ts";
import { OPERATIONS_BY_NUMBER, type Operation } from "../../protocol/meta/meta-calls.ts";
import { packPush } from "../../protocol/meta/meta-pushes.ts";
import type { MetaArgs, MetaOperation } from "../../protocol/meta/meta-operations.ts";
import type { History } from "../../protocol/rpc/acknowledged.ts";
import type { Procedure } from "../../protocol/rpc/procedure.ts";
import type { Redo, RedoOutcome } from "../../protocol/rpc/redo.ts";
import type { RpcHost, RpcPeer, RpcSession } from "../../protocol/rpc/served-connection.ts";
import type { Clock } from "../../platform/clock.ts";
import type { ClusterRegistry } from "../cluster/cluster-registry.ts";
import type { Engine } from "../engine/engine.ts";
import { DURABLE_PUSH_CADENCE_MS } from "./limits.ts";
import type { Session, SessionConnection, SessionRegistry } from "./session-registry.ts";

export class MetaRpcHost implements RpcHost<Principal> {
  readonly procedures = OPERATIONS_BY_NUMBER;
  readonly #accounts: Pick<Accounts, "authenticate">;
  readonly #cluster: ClusterRegistry;
  readonly #sessions: SessionRegistry;
  readonly #peers = new Map<RpcPeer, Session>();

  constructor(
    accounts: Pick<Accounts, "authenticate">,
    cluster: ClusterRegistry,
    sessions: SessionRegistry,
  ) {
    this.#accounts = accounts;
    this.#cluster = cluster;
    this.#sessions = sessions;
  }

  /** Tells every session of each new map. Returns the way to stop it. */
  pushMapChanges(): () => void {
    return this.#cluster.onChange((maps) => {
      const message = packPush("mapChanged", maps);
      for (const peer of this.#peers.keys()) peer.push(message);
    });
  }

  /** Tells each session how much of what it changed is on disk. Returns the way to stop it. */
  pushDurability(clock: Clock): () => void {
    const told = new WeakMap<RpcPeer, number>();
    let cancel = (): void => undefined;
    const tick = (): void => {
      const { durablePosition } = this.#sessions.engine;
      const message = packPush("durable", durablePosition);
      for (const [peer, { requests }] of this.#peers) {
        const before = told.get(peer) ?? 0;
        if (before >= requests.undurablePosition || before >= durablePosition) continue;
        told.set(peer, durablePosition);
        peer.push(message);
      }
      cancel = clock.after(DURABLE_PUSH_CADENCE_MS, tick);
    };
    tick();
    return () => cancel();
  }

  authenticate(authorization: string | undefined): Promise<Principal | undefined> {
    return this.#accounts.authenticate(bearerToken(authorization));
  }

  async greet(
    principal: Principal,
    hello: Message,
    peer: RpcPeer,
  ): Promise<{ welcome: Message; session: RpcSession }> {
    const { user } = principal;
    const { resume, clientName } = readHello(hello);
    const known = resume === undefined ? undefined : this.#sessions.resume(user, resume);
    const { session, key } =
      resume !== undefined && known !== undefined
        ? { session: known, key: resume }
        : await this.#sessions.begin(user, clientName);
    const welcome = packWelcome({
      key,
      resumed: known !== undefined,
      clusterId: this.#cluster.clusterId,
      maps: this.#cluster.history(),
      history: historyOf(this.#sessions.engine),
    });
    return { welcome, session: this.#connect(session, peer) };
  }

  #connect(session: Session, peer: RpcPeer): RpcSession {
    const connection: SessionConnection = {
      displaced: () => peer.end(CLOSE_GOING_AWAY, "the session goes on elsewhere"),
      push: (name, value) => peer.push(packPush(name, value)),
    };
    const disconnect = (): void => {
      this.#peers.delete(peer);
      this.#sessions.detach(session, connection);
    };
    this.#sessions.attach(session, connection);
    this.#peers.set(peer, session);
    const { recovery } = this.#sessions;
    const { requests } = session;
    // What it waits for never came: the client asks again, behind that, at the next start.
    const hangUp = (): Promise<never> => {
      peer.end(CLOSE_GOING_AWAY, "the server stops");
      return new Promise(() => undefined);
    };
    const perform: RpcSession["invoke"] = (procedure, args, ticket) =>
      recovery.cutShort ? hangUp() : requests.perform(nameOf(procedure), argsOf(args), ticket);
    return {
      invoke: (procedure, args, ticket) =>
        recovery.over === undefined
          ? perform(procedure, args, ticket)
          : recovery.over.then(() => perform(procedure, args, ticket)),
      redo: async (changes, sizeBytes) => {
        const redo = ({ procedure, args, ticket, trace }: Redo): Promise<RedoOutcome> =>
          requests.redo(nameOf(procedure), argsOf(args), ticket, trace);
        return (await recovery.contribute(session.id, changes, sizeBytes, redo)) ?? hangUp();
      },
      disconnected: disconnect,
      goodbye: () => {
        disconnect();
        return this.#sessions.end(session);
      },
    };
  }
}

/** One of this host's procedures. */
function nameOf(procedure: Procedure): MetaOperation {
  return (procedure as Operation).name;
}

/** The procedure's own codecs have read them. */
function argsOf(args: readonly unknown[]): MetaArgs<MetaOperation> {
  return args as MetaArgs<MetaOperation>;
}

function historyOf({ incarnations, durablePosition }: Engine): History {
  return { incarnations, durablePosition };
}
