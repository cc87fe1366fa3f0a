// Two message sockets joined in memory: frames and ends arrive in a later turn, in order.
import type { MessageSocket, SocketEvents } from "../../protocol/rpc/message-socket.ts";

/** As a connection that broke is told by ws. */
const ABNORMAL = 1006;

export class MemorySocket implements MessageSocket {
  readonly bufferedBytes = 0;
  #peer: MemorySocket | undefined;
  #events: SocketEvents | undefined;
  #ended = false;

  static pair(): [MemorySocket, MemorySocket] {
    const [one, other] = [new MemorySocket(), new MemorySocket()];
    one.#peer = other;
    other.#peer = one;
    return [one, other];
  }

  listen(events: SocketEvents): void {
    this.#events = events;
  }

  send(frame: Uint8Array): void {
    if (this.#ended) return;
    const bytes = Buffer.from(frame);
    this.#toPeer((peer) => peer.#events?.message(bytes));
  }

  ping(): void {
    this.#toPeer((peer) => peer.#toPeer((self) => self.#events?.heard()));
  }

  pause(): void {
    throw new Error("nothing is ever in its way");
  }

  resume(): void {
    throw new Error("it is never paused");
  }

  close(code: number, reason: string): void {
    this.#toPeer((peer) => peer.#end(code, reason));
    this.#end(code, reason);
  }

  terminate(): void {
    this.close(ABNORMAL, "");
  }

  #toPeer(deliver: (peer: MemorySocket) => void): void {
    const peer = this.#peer;
    if (peer === undefined || this.#ended) return;
    setImmediate(() => {
      if (!peer.#ended) deliver(peer);
    });
  }

  #end(code: number, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    setImmediate(() => this.#events?.closed(code, reason));
  }
}
