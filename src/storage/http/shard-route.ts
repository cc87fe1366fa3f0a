// PUT, GET and HEAD of one shard, a node's busiest routes by far. They don't go by way of express,
// which costs more CPU than all else that a small shard takes.
import type { IncomingMessage, ServerResponse } from "node:http";
import { FsError } from "../../domain/errno.ts";
import { MAX_SHARD_BYTES } from "../../domain/format.ts";
import { parseShardId, type ShardId } from "../../domain/ids.ts";
import { passViolation } from "../../domain/invariant.ts";
import { cellCount } from "../../domain/layout.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import { CELL_CRCS_HEADER, decodeCellCrcs } from "../../protocol/shard/shard-wire.ts";
import type { ShardStore } from "../shards/shard-store.ts";
import { answerDone, answerError, contentLength } from "./shard-answers.ts";
import { receiveBody } from "./shard-body.ts";
import { ShardSender } from "./shard-sender.ts";

const PREFIX = "/shards/";
const RANGE = /^bytes=(\d{1,12})-(\d{1,12})$/;

export class ShardRoute {
  readonly #store: ShardStore;
  readonly #log: Log;
  readonly #sender: ShardSender;

  constructor({ store, clock, log }: { store: ShardStore; clock: Pick<Clock, "after">; log: Log }) {
    this.#store = store;
    this.#log = log;
    this.#sender = new ShardSender(clock);
  }

  /** False when the request is for another route; else it is answered, well or not. */
  takes(request: IncomingMessage, response: ServerResponse): boolean {
    const { method, url = "" } = request;
    if (!url.startsWith(PREFIX) || url.includes("/", PREFIX.length)) return false;
    if (method !== "GET" && method !== "PUT" && method !== "HEAD") return false;
    this.#answer(request, response).catch((error: unknown) => {
      passViolation(error);
      // Of an answer that failed half-way only the connection's end tells.
      if (response.headersSent) request.socket.destroy();
      else answerError(error, request, response, this.#log);
    });
    return true;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = "" } = request;
    const id = parseShardId(url.slice(PREFIX.length));
    if (id === undefined) throw new FsError("EINVAL", "malformed shard id");
    await (method === "PUT" ? this.#put(id, request, response) : this.#get(id, request, response));
  }

  async #put(id: ShardId, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const sizeBytes = contentLength(request, MAX_SHARD_BYTES);
    const crcs = request.headers[CELL_CRCS_HEADER];
    const text = typeof crcs === "string" ? crcs : undefined;
    const cellCrcs = decodeCellCrcs(text, cellCount(sizeBytes));
    const reception = this.#store.receive(id, sizeBytes, cellCrcs);
    if (reception !== undefined) {
      try {
        await receiveBody(request, reception);
      } catch (error) {
        this.#store.abandon(reception);
        throw error;
      }
      await this.#store.keep(reception);
    }
    answerDone(request, response);
  }

  async #get(id: ShardId, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { offsetBytes, lengthBytes } = rangeOf(request);
    const reading = this.#store.read(id, offsetBytes, lengthBytes);
    try {
      if (reading.lengthBytes === 0) throw new FsError("EINVAL", "range begins behind the shard");
      if (request.method === "HEAD") sendHead(response, reading.sizeBytes);
      else await this.#sender.send(response, reading);
    } catch (error) {
      throw await this.#store.spoilt(reading, error);
    } finally {
      reading.close();
    }
  }
}

function rangeOf(request: IncomingMessage): { offsetBytes: number; lengthBytes: number } {
  const { range } = request.headers;
  if (range === undefined) return { offsetBytes: 0, lengthBytes: MAX_SHARD_BYTES };
  const [first, last] = (RANGE.exec(range)?.slice(1) ?? []).map(Number);
  if (first === undefined || last === undefined || last < first) {
    throw new FsError("EINVAL", "a range is bytes=FIRST-LAST");
  }
  return { offsetBytes: first, lengthBytes: last - first + 1 };
}

function sendHead(response: ServerResponse, sizeBytes: number): void {
  response.writeHead(200, { "content-length": sizeBytes });
  response.end();
}
