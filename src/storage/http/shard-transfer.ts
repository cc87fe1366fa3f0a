// A shard's bytes between socket and disk: into a reception as they arrive, out of a reading
// through pooled buffers. Nothing is gathered, nothing copied on the way.
import type { IncomingMessage, ServerResponse } from "node:http";
import { FsError } from "../../domain/errno.ts";
import { READ_BUFFER_BYTES } from "../disk/limits.ts";
import { CELL_CRCS_HEADER, encodeCellCrcs } from "../../protocol/shard/shard-wire.ts";
import type { ReadBuffers } from "../disk/read-buffers.ts";
import type { ShardReading } from "../shards/shard-reading.ts";
import type { ShardReception } from "../shards/shard-reception.ts";

/** Writes the request's body into `reception`; rejects when it ends too early or doesn't match. */
export function receiveBody(request: IncomingMessage, reception: ShardReception): Promise<void> {
  return new Promise((resolve, reject) => {
    let writing: Promise<void> | undefined;
    const fail = (error: Error): void => {
      request.off("data", onData);
      request.resume();
      // A write under way must end before the caller may close the file.
      const ended = writing ?? Promise.resolve();
      ended.catch(() => undefined).finally(() => reject(error));
    };
    const onData = (chunk: Buffer): void => {
      try {
        const pending = reception.write(chunk);
        if (pending === undefined) return;
        request.pause();
        writing = pending;
        pending.then(() => {
          writing = undefined;
          request.resume();
        }, fail);
      } catch (error) {
        fail(error as Error);
      }
    };
    request.on("data", onData);
    request.on("end", () => {
      if (writing === undefined) resolve();
      else writing.then(resolve, fail);
    });
    request.on("error", fail);
    request.on("close", () => {
      if (!request.complete) fail(new FsError("EIO", "the sender went away in mid-shard"));
    });
  });
}

/** Answers with the run of `reading`, as 206; rejects before the head is sent, or destroys. */
export async function sendReading(
  response: ServerResponse,
  reading: ShardReading,
  buffers: ReadBuffers,
): Promise<void> {
  if (reading.packedBytes !== undefined) {
    const { offsetBytes, lengthBytes, packedBytes } = reading;
    if (packedBytes.length !== reading.sizeBytes)
      await reading.readInto(Buffer.alloc(lengthBytes), 0);
    writeHead(response, reading);
    response.end(packedBytes.subarray(offsetBytes, offsetBytes + lengthBytes));
    return;
  }
  const buffer = await buffers.take();
  try {
    for (let at = 0; at < reading.lengthBytes; at += READ_BUFFER_BYTES) {
      const piece = buffer.subarray(0, Math.min(READ_BUFFER_BYTES, reading.lengthBytes - at));
      const pending = reading.readInto(piece, at);
      if (pending !== undefined) await pending;
      if (at === 0) writeHead(response, reading);
      await sendPiece(response, piece, at + piece.length === reading.lengthBytes);
    }
  } finally {
    buffers.give(buffer);
  }
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

/** Resolves when the kernel has the bytes, or the connection is gone: the buffer is free again. */
function sendPiece(response: ServerResponse, piece: Buffer, last: boolean): Promise<void> {
  return new Promise((resolve) => {
    // On a connection that is gone already neither event comes any more.
    if (response.destroyed || response.closed) {
      resolve();
      return;
    }
    const done = (): void => {
      response.off("close", done);
      resolve();
    };
    response.on("close", done);
    if (last) response.end(piece, done);
    else response.write(piece, done);
  });
}
