// A shard's bytes from disk to socket, through pooled buffers, with no copy on the way. A reader
// who takes nothing keeps nobody else waiting: others get another buffer in the place of his soon,
// and after a while his connection is cut.
import type { ServerResponse } from "node:http";
import type { Clock } from "../../platform/clock.ts";
import { CELL_CRCS_HEADER, encodeCellCrcs } from "../../protocol/shard/shard-wire.ts";
import { READ_BUFFER_BYTES } from "../disk/limits.ts";
import { ReadBuffers } from "../disk/read-buffers.ts";
import type { ShardReading } from "../shards/shard-reading.ts";
import { MAX_STALLED_READERS, READER_PATIENCE_MS, READER_TIMEOUT_MS } from "./limits.ts";

export class ShardSender {
  readonly #clock: Pick<Clock, "after">;
  readonly #buffers = new ReadBuffers();
  /** Those whose buffers others have to do without, longest first. */
  readonly #stalled = new Set<ServerResponse>();

  constructor(clock: Pick<Clock, "after">) {
    this.#clock = clock;
  }

  /** Answers with the run of `reading`, as 206; rejects before the head is sent, or destroys. */
  async send(response: ServerResponse, reading: ShardReading): Promise<void> {
    if (reading.packedBytes !== undefined) {
      const { offsetBytes, lengthBytes, packedBytes } = reading;
      if (packedBytes.length !== reading.sizeBytes)
        await reading.readInto(Buffer.alloc(lengthBytes), 0);
      writeHead(response, reading);
      const piece = packedBytes.subarray(offsetBytes, offsetBytes + lengthBytes);
      await this.#sendPiece(response, piece, true);
      return;
    }
    // One whose turn on its connection hasn't come needs none yet.
    if (response.socket === null) await turnOf(response);
    const buffer = await this.#buffers.take();
    try {
      for (let at = 0; at < reading.lengthBytes; at += READ_BUFFER_BYTES) {
        const piece = buffer.subarray(0, Math.min(READ_BUFFER_BYTES, reading.lengthBytes - at));
        const pending = reading.readInto(piece, at);
        if (pending !== undefined) await pending;
        if (at === 0) writeHead(response, reading);
        const last = at + piece.length === reading.lengthBytes;
        await this.#sendPiece(response, piece, last, () => this.#buffers.withdraw(buffer));
      }
    } finally {
      this.#stalled.delete(response);
      this.#buffers.give(buffer);
    }
  }

  /**
   * Ends, or resolves, when the kernel has the bytes or the connection is gone: the buffer is free
   * again. With `withdraw` it is one of the common ones, until somebody else needs it more.
   */
  #sendPiece(
    response: ServerResponse,
    piece: Buffer,
    last: boolean,
    withdraw?: () => void,
  ): void | Promise<void> {
    // On a connection that is gone already no event comes any more.
    if (response.destroyed || response.closed || response.req.socket.destroyed) return;
    if (!last) return this.#taken(response, withdraw, (done) => response.write(piece, done));
    response.end(piece);
    // As long as readers read, the kernel takes all at once, and nobody has to be waited for.
    if (response.socket?.writableLength === 0) return;
    return this.#taken(response, withdraw, (done) => response.once("finish", done));
  }

  #taken(
    response: ServerResponse,
    withdraw: (() => void) | undefined,
    whenTaken: (done: () => void) => void,
  ): Promise<void> {
    return new Promise((resolve) => {
      let cancel = this.#clock.after(READER_PATIENCE_MS, () => {
        if (withdraw !== undefined) {
          withdraw();
          this.#stall(response);
        }
        const restMs = READER_TIMEOUT_MS - READER_PATIENCE_MS;
        cancel = this.#clock.after(restMs, () => response.destroy());
      });
      const done = (): void => {
        cancel();
        response.off("close", done);
        resolve();
      };
      response.on("close", done);
      whenTaken(done);
    });
  }

  #stall(response: ServerResponse): void {
    this.#stalled.delete(response);
    this.#stalled.add(response);
    if (this.#stalled.size <= MAX_STALLED_READERS) return;
    for (const longest of this.#stalled) {
      this.#stalled.delete(longest);
      longest.destroy();
      return;
    }
  }
}

/** Resolves when the answers before this one on its connection are sent, or nobody waits for it. */
function turnOf(response: ServerResponse): Promise<void> {
  const { socket } = response.req;
  return new Promise((resolve) => {
    if (socket.destroyed) resolve();
    socket.once("close", resolve);
    response.once("socket", () => {
      socket.off("close", resolve);
      resolve();
    });
  });
}

function writeHead(response: ServerResponse, reading: ShardReading): void {
  const { offsetBytes, lengthBytes, sizeBytes, cellCrcs } = reading;
  response.writeHead(206, {
    "content-length": lengthBytes,
    "content-range": `bytes ${offsetBytes}-${offsetBytes + lengthBytes - 1}/${sizeBytes}`,
    "content-type": "application/octet-stream",
    [CELL_CRCS_HEADER]: encodeCellCrcs(cellCrcs),
  });
}
