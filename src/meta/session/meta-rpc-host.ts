// Joins RPC connections to sessions: who may connect, which session a greeting begins or resumes.
import type { Accounts, Principal } from "../../auth/accounts.ts";
import { bearerToken } from "../../auth/token.ts";
import { CLOSE_GOING_AWAY } from "../../protocol/rpc/frame-channel.ts";
import type { Hello, Welcome } from "../../protocol/meta/hello.ts";
import type { MetaArgs } from "../../protocol/meta/meta-operations.ts";
import type { RpcHost, RpcPeer, RpcSession } from "../../protocol/meta/served-connection.ts";
import type { ClusterRegistry } from "../cluster/cluster-registry.ts";
import type { Session, SessionConnection, SessionRegistry } from "./session-registry.ts";

export class MetaRpcHost implements RpcHost<Principal> {
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
      for (const peer of this.#peers) peer.pushMaps(maps);
    });
  }

  authenticate(authorization: string | undefined): Promise<Principal | undefined> {
    return this.#accounts.authenticate(bearerToken(authorization));
  }

  async greet(
    principal: Principal,
    hello: Hello,
    peer: RpcPeer,
  ): Promise<{ welcome: Welcome; session: RpcSession }> {
    const { user } = principal;
    const { resume, clientName } = hello;
    const known = resume === undefined ? undefined : this.#sessions.resume(user, resume);
    const { session, key } =
      resume !== undefined && known !== undefined
        ? { session: known, key: resume }
        : await this.#sessions.begin(user, clientName);
    const welcome: Welcome = {
      key,
      resumed: known !== undefined,
      clusterId: this.#cluster.clusterId,
      maps: this.#cluster.history(),
    };
    return { welcome, session: this.#connect(session, peer) };
  }

  #connect(session: Session, peer: RpcPeer): RpcSession {
    const connection: SessionConnection = {
      displaced: () => peer.end(CLOSE_GOING_AWAY, "the session goes on elsewhere"),
      lockReady: (wait) => peer.pushLockReady(wait),
    };
    const disconnect = (): void => {
      this.#peers.delete(peer);
      this.#sessions.detach(session, connection);
    };
    this.#sessions.attach(session, connection);
    this.#peers.add(peer);
    return {
      // The operation's own codecs have read its arguments.
      invoke: ({ name }, args, ticket) =>
        session.requests.invoke(name, args as MetaArgs<typeof name>, ticket),
      disconnected: disconnect,
      goodbye: () => {
        disconnect();
        return this.#sessions.end(session);
      },
    };
  }
}
