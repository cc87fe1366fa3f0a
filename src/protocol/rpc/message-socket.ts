// What the RPC needs of a connection: whole frames in order, and signs of life. A WebSocket is one
// (web-sockets.ts); a simulation has its own.

export interface SocketEvents {
  /** In the order they were sent; a string where the other end sent text. */
  message(frame: Uint8Array | string): void;
  /** The other end lives, though it sent no frame. */
  heard(): void;
  /** Once, whoever ended it. */
  closed(code: number, reason: string): void;
}

export interface MessageSocket {
  /** Bytes handed to it that the network hasn't taken yet. */
  readonly bufferedBytes: number;
  /** To be called once, in the turn in which one gets the socket: nothing is kept until then. */
  listen(events: SocketEvents): void;
  send(frame: Uint8Array): void;
  /** Asks the other end for a sign of life. */
  ping(): void;
  /** Stops and resumes reading from the network. */
  pause(): void;
  resume(): void;
  /** Ends the connection in order: what was sent before arrives. */
  close(code: number, reason: string): void;
  /** Ends it at once. */
  terminate(): void;
}

/**
 * Opens a connection to the server at a base URL, for who has the token. Aborted, it rejects with
 * the signal's reason.
 * @throws FsError EACCES (token refused), EAGAIN (busy), ECONNREFUSED (nobody there, or no server)
 */
export type Dial = (url: string, token: string, signal: AbortSignal) => Promise<MessageSocket>;

/** Who decides about connections, and gets them. `P` says who is at the other end. */
export interface Gatekeeper<P> {
  /** @throws FsError EACCES, EAGAIN (no more connections now) */
  admit(authorization: string | undefined): Promise<P>;
  serve(principal: P, socket: MessageSocket): void;
}
