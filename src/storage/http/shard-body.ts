// A shard's bytes from the socket into a reception, as they arrive: nothing is gathered.
import type { IncomingMessage } from "node:http";
import { FsError } from "../../domain/errno.ts";
import type { ShardReception } from "../shards/shard-reception.ts";

/** Writes the request's body into `reception`; rejects when it ends too early or doesn't match. */
export function receiveBody(request: IncomingMessage, reception: ShardReception): Promise<void> {
  return new Promise((resolve, reject) => {
    let writing: Promise<void> | undefined;
    const fail = (error: Error): void => {
      request.off("data", onData);
      // The end may come before the promise below is rejected; it must not make a success of it.
      request.off("end", onEnd);
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
    const onEnd = (): void => {
      if (writing === undefined) resolve();
      else writing.then(resolve, fail);
    };
    request.on("data", onData);
    request.on("end", onEnd);
    request.on("error", fail);
    request.on("close", () => {
      if (!request.complete) fail(new FsError("EIO", "the sender went away in mid-shard"));
    });
  });
}
