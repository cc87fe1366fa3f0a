// The server's end of the RPC: lets in who has a token, keeps an eye on the connections. What
// requests mean is the host's business.
import { FsError } from "../../domain/errno.ts";
import { HEARTBEAT_INTERVAL_MS } from "../../domain/limits.ts";
import { RPC_CONNECT_TIMEOUT_MS } from "./limits.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import { CLOSE_GOING_AWAY } from "./frame-channel.ts";
import type { Gatekeeper, MessageSocket } from "./message-socket.ts";
import { ServedConnection, type RpcHost } from "./served-connection.ts";

export interface RpcServerOptions<P> {
  readonly host: RpcHost<P>;
  readonly clock: Clock;
  readonly log: Log;
}

export class RpcServer<P> implements Gatekeeper<P> {
  readonly #options: RpcServerOptions<P>;
  readonly #connections = new Set<ServedConnection<P>>();
  #cancelBeat: () => void = () => undefined;
  #closing = false;

  constructor(options: RpcServerOptions<P>) {
    this.#options = options;
  }

  start(): void {
    this.#cancelBeat = this.#options.clock.after(HEARTBEAT_INTERVAL_MS, () => {
      for (const connection of this.#connections) connection.beat();
      this.start();
    });
  }

  /** @throws FsError EACCES, EAGAIN (it is closing) */
  async admit(authorization: string | undefined): Promise<P> {
    const principal = await this.#options.host.authenticate(authorization);
    if (principal === undefined) throw new FsError("EACCES", "the token is not accepted");
    if (this.#closing) throw new FsError("EAGAIN", "the server shuts down");
    return principal;
  }

  serve(principal: P, socket: MessageSocket): void {
    const { host, clock, log } = this.#options;
    const connection = new ServedConnection<P>({
      principal,
      socket,
      host,
      clock,
      log,
      ended: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
  }

  /** Ends every connection of a principal that `matches`. */
  endWhere(matches: (principal: P) => boolean, code: number, reason: string): void {
    for (const connection of this.#connections) {
      if (matches(connection.principal)) connection.end(code, reason);
    }
  }

  /** Answers what is pending, then ends all connections; their sessions live on. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#cancelBeat();
    const { clock } = this.#options;
    await Promise.all(
      [...this.#connections].map(async (connection) => {
        const end = (): void => connection.end(CLOSE_GOING_AWAY, "the metadata server shuts down");
        const cancel = clock.after(RPC_CONNECT_TIMEOUT_MS, end);
        await connection.drained();
        cancel();
        end();
      }),
    );
  }
}
