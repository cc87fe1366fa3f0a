// Message sockets over the simulated network: what is sent arrives in order or not at all, and
// waits while its way is cut.
import { FsError } from "../../domain/errno.ts";
import type {
  Dial,
  Gatekeeper,
  MessageSocket,
  SocketEvents,
} from "../../protocol/rpc/message-socket.ts";
import type { SimProcess } from "./machine.ts";
import type { Endpoint, Network } from "./network.ts";

/** As a connection that broke is told by ws. */
const ABNORMAL = 1006;

/** Who can be dialled. */
export interface RpcEndpoint extends Endpoint {
  readonly rpc: Pick<Gatekeeper<unknown>, "admit" | "serve">;
}

class SimSocket implements MessageSocket {
  readonly #network: Network;
  readonly #process: SimProcess;
  #peer: SimSocket | undefined;
  #events: SocketEvents | undefined;
  #bufferedBytes = 0;
  #paused: (() => void)[] | undefined;
  #ended = false;

  private constructor(network: Network, process: SimProcess) {
    this.#network = network;
    this.#process = process;
    process.onDeath(() => this.#died());
  }

  static pair(network: Network, near: SimProcess, far: SimProcess): [SimSocket, SimSocket] {
    const [one, other] = [new SimSocket(network, near), new SimSocket(network, far)];
    one.#peer = other;
    other.#peer = one;
    return [one, other];
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  listen(events: SocketEvents): void {
    this.#events = events;
  }

  send(frame: Uint8Array): void {
    if (this.#ended) return;
    const bytes = Buffer.from(frame);
    this.#bufferedBytes += bytes.length;
    this.#toPeer(`frame ${bytes.length}`, (peer) => {
      this.#bufferedBytes -= bytes.length;
      peer.#events?.message(bytes);
    });
  }

  ping(): void {
    this.#toPeer("ping", (peer) => {
      peer.#events?.heard();
      peer.#toPeer("pong", (self) => self.#events?.heard());
    });
  }

  pause(): void {
    this.#paused ??= [];
  }

  resume(): void {
    const waiting = this.#paused ?? [];
    this.#paused = undefined;
    for (const deliver of waiting) deliver();
  }

  close(code: number, reason: string): void {
    this.#toPeer("close", (peer) => peer.#end(code, reason));
    this.#end(code, reason);
  }

  terminate(): void {
    this.close(ABNORMAL, "");
  }

  #toPeer(label: string, deliver: (peer: SimSocket) => void): void {
    const peer = this.#peer;
    if (peer === undefined || this.#ended) return;
    const arrive = (): void => {
      if (!peer.#process.isAlive) this.#refused(peer);
      else peer.#process.run(label, () => peer.#take(() => deliver(peer)));
    };
    // One behind the other, whatever each would take alone.
    this.#queue(arrive);
  }

  readonly #waiting: (() => void)[] = [];

  #queue(arrive: () => void): void {
    const peer = this.#peer;
    if (peer === undefined) return;
    this.#waiting.push(arrive);
    if (this.#waiting.length > 1) return;
    this.#carryNext(peer);
  }

  #carryNext(peer: SimSocket): void {
    this.#network.carry(this.#process.machine, peer.#process.machine, () => {
      // All that waited goes in one stream.
      const arrived = this.#waiting.splice(0);
      for (const arrive of arrived) arrive();
    });
  }

  #take(deliver: () => void): void {
    if (this.#ended) return;
    if (this.#paused === undefined) deliver();
    else this.#paused.push(deliver);
  }

  #end(code: number, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#process.after(0, "closed", () => this.#events?.closed(code, reason));
  }

  /** The kernel of a machine without the process answers what comes for it. */
  #refused(peer: SimSocket): void {
    if (!peer.#process.machine.isOn) return;
    this.#network.carry(peer.#process.machine, this.#process.machine, () =>
      this.#end(ABNORMAL, ""),
    );
  }

  #died(): void {
    this.#ended = true;
    const peer = this.#peer;
    if (peer === undefined || !this.#process.machine.isOn) return;
    this.#network.carry(this.#process.machine, peer.#process.machine, () =>
      peer.#end(ABNORMAL, ""),
    );
  }
}

/** @throws FsError as Dial says */
export function dialOver(network: Network, from: SimProcess): Dial {
  return async (url, token, signal) => {
    let near: SimSocket | undefined;
    const serve = async (endpoint: Endpoint): Promise<void> => {
      if (!isRpcEndpoint(endpoint)) throw new FsError("ECONNREFUSED", `${url} has no RPC`);
      const principal = await endpoint.rpc.admit(`Bearer ${token}`);
      const [mine, theirs] = SimSocket.pair(network, from, endpoint.process);
      near = mine;
      endpoint.rpc.serve(principal, theirs);
    };
    try {
      await network.request({ from, address: url, label: "dial", signals: [signal], serve });
    } catch (error) {
      near?.terminate();
      throw error;
    }
    if (near === undefined) throw new FsError("ECONNREFUSED", `${url} has no RPC`);
    return near;
  };
}

function isRpcEndpoint(endpoint: Endpoint): endpoint is RpcEndpoint {
  return "rpc" in endpoint;
}
