// Joins RPC connections to sessions: who may connect, which session a greeting begins or resumes.
import type { Accounts, Principal } from "../../auth/accounts.ts";
import { bearerToken } from "../../auth/token.ts";
import { CLOSE_GOING_AWAY, type Message } from "../../protocol/rpc/frame-channel.ts";
import { packWelcome, readHello } from "../../protocol/meta/hello.ts";
import { OPERATIONS_BY_NUMBER, type Operation } from "../../protocol/meta/meta-calls.ts";
import { packPush } from "../../protocol/meta/meta-pushes.ts";
import type { MetaArgs } from "../../protocol/meta/meta-operations.ts";
import type { RpcHost, RpcPeer, RpcSession } from "../../protocol/rpc/served-connection.ts";
import type { ClusterRegistry } from "../cluster/cluster-registry.ts";
import type { Session, SessionConnection, SessionRegistry } from "./session-registry.ts";

export class MetaRpcHost implements RpcHost<Principal> {
  readonly procedures = OPERATIONS_BY_NUMBER;
  readonly #accounts: Accounts;
  readonly #cluster: ClusterRegistry;
  readonly #sessions: SessionRegistry;
  readonly #peers = new Set<RpcPeer>();

  constructor(accounts: Accounts, cluster: ClusterRegistry, sessions: SessionRegistry) {
    this.#accounts = accounts;
    this.#cluster = cluster;
    this.#sessions = sessions;
  }

  /** Tells every session of each new map. Returns the way to stop it. */
  pushMapChanges(): () => void {
    return this.#cluster.onChange((maps) => {
      const message = packPush("mapChanged", maps);
      for (const peer of this.#peers) peer.push(message);
    });
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
    this.#peers.add(peer);
    return {
      invoke: (procedure, args, ticket) => {
        // One of this host's procedures, whose own codecs have read its arguments.
        const { name } = procedure as Operation;
        return session.requests.invoke(name, args as MetaArgs<typeof name>, ticket);
      },
      disconnected: disconnect,
      goodbye: () => {
        disconnect();
        return this.#sessions.end(session);
      },
    };
  }
}
