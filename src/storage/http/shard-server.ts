// A storage node's HTTP face: an express app over a ShardStore.
// No middleware anywhere: each handler reads what it needs of the request.
import type { IncomingMessage, RequestListener } from "node:http";
import express, { type NextFunction, type Request, type Response } from "express";
import { FsError } from "../../domain/errno.ts";
import { InvariantViolation } from "../../domain/invariant.ts";
import { formatShardId, parseShardId, type PoolId, type ShardId } from "../../domain/ids.ts";
import { cellCount } from "../../domain/layout.ts";
import { MAX_BATCH_SHARDS, MAX_SECURE_SHARDS } from "../../protocol/shard/limits.ts";
import { MAX_SHARD_BYTES } from "../../domain/format.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import type { NodeName } from "../../protocol/shard/node-name.ts";
import { decodeShardIds, SHARD_KEY_BYTES } from "../../protocol/shard/shard-key.ts";
import { PROBLEM_TYPE, shardProblem } from "../../protocol/shard/shard-problem.ts";
import { SECURE_DEPTHS } from "../../protocol/shard/shard-service.ts";
import {
  CELL_CRCS_HEADER,
  decodeCellCrcs,
  encodeVerdicts,
  UNKNOWN_SIZE,
} from "../../protocol/shard/shard-wire.ts";
import { addressedOnly } from "./addressed-only.ts";
import { parseRebuildRequest } from "./rebuild-request.ts";
import type { ShardStore } from "../shards/shard-store.ts";
import { receiveBody } from "./shard-body.ts";
import { ShardSender } from "./shard-sender.ts";

export interface ShardAppOptions {
  store: ShardStore;
  clock: Pick<Clock, "after">;
  log: Log;
  /** Undefined before the node has joined a cluster. */
  name: () => NodeName | undefined;
  /** Why the node can't be used yet; undefined when it can. */
  notReady?: () => string | undefined;
}

/** The routes of ROUTES, `/healthz` and `/readyz`. */
export function createShardApp(options: ShardAppOptions): RequestListener {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  const handlers = new ShardHandlers(options);
  app.put("/shards/:id", (request, response) => handlers.put(request, response));
  app.get("/shards/:id", (request, response) => handlers.get(request, response));
  app.post("/shards/:id/rebuild", (request, response) => handlers.rebuild(request, response));
  app.post("/batch/head", (request, response) => handlers.headMany(request, response));
  app.post("/batch/delete", (request, response) => handlers.deleteMany(request, response));
  app.post("/batch/park", (request, response) => handlers.park(request, response));
  app.post("/batch/unpark", (request, response) => handlers.unpark(request, response));
  app.post("/batch/secure", (request, response) => handlers.secure(request, response));
  app.get("/groups", (request, response) => handlers.groups(request, response));
  app.get("/groups/:pool/:pg", (request, response) => handlers.list(request, response));
  app.get("/stats", (request, response) => handlers.stats(request, response));
  app.get("/healthz", (_request, response) => void response.json({ status: "ok" }));
  app.get("/readyz", (_request, response) => {
    const reason = options.notReady?.();
    response.status(reason === undefined ? 200 : 503);
    response.json(reason === undefined ? { status: "ready" } : { status: "waiting", reason });
  });
  app.use((request: Request) => {
    throw new FsError("EINVAL", `a storage node has no ${request.method} ${request.path}`);
  });
  app.use((error: unknown, request: Request, response: Response, next: NextFunction) => {
    // Express would answer for it; the process ends when this turn does.
    if (error instanceof InvariantViolation) return;
    // Express ends the connection of an answer that failed half-way.
    if (response.headersSent) next(error);
    else answerError(error, request, response, options.log);
  });
  return addressedOnly(app, options.name);
}

class ShardHandlers {
  readonly #store: ShardStore;
  readonly #sender: ShardSender;

  constructor({ store, clock }: ShardAppOptions) {
    this.#store = store;
    this.#sender = new ShardSender(clock);
  }

  async put(request: Request, response: Response): Promise<void> {
    const id = shardIdOf(request);
    const sizeBytes = contentLength(request, MAX_SHARD_BYTES);
    const cellCrcs = decodeCellCrcs(request.get(CELL_CRCS_HEADER), cellCount(sizeBytes));
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
    done(request, response);
  }

  async get(request: Request, response: Response): Promise<void> {
    const id = shardIdOf(request);
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

  async rebuild(request: Request, response: Response): Promise<void> {
    const id = shardIdOf(request);
    const { policy, sources } = parseRebuildRequest(await bodyOf(request, MAX_JSON_BODY_BYTES));
    const { sizeBytes } = await this.#store.rebuild({ id, policy, sources }, goneSignal(response));
    sendJson(response, { id: formatShardId(id), sizeBytes });
  }

  async headMany(request: Request, response: Response): Promise<void> {
    const infos = await this.#store.headMany(await idsOf(request, MAX_BATCH_SHARDS));
    const body = Buffer.allocUnsafe(infos.length * 4);
    infos.forEach((info, position) => {
      body.writeUInt32LE(info?.sizeBytes ?? UNKNOWN_SIZE, position * 4);
    });
    sendBytes(response, body);
  }

  async deleteMany(request: Request, response: Response): Promise<void> {
    await this.#store.deleteMany(await idsOf(request, MAX_BATCH_SHARDS));
    done(request, response);
  }

  async park(request: Request, response: Response): Promise<void> {
    await this.#store.park(await idsOf(request, MAX_BATCH_SHARDS));
    done(request, response);
  }

  async unpark(request: Request, response: Response): Promise<void> {
    const stand = await this.#store.unpark(await idsOf(request, MAX_BATCH_SHARDS));
    sendBytes(response, Buffer.from(stand.map(Number)));
  }

  async secure(request: Request, response: Response): Promise<void> {
    const depth = SECURE_DEPTHS.find((known) => known === request.query["depth"]);
    if (depth === undefined) throw new FsError("EINVAL", "depth is every, unseen or unflushed");
    const ids = await idsOf(request, MAX_SECURE_SHARDS);
    const verdicts = await this.#store.secure(ids, depth, goneSignal(response));
    sendBytes(response, encodeVerdicts(verdicts));
  }

  async groups(_request: Request, response: Response): Promise<void> {
    sendJson(response, await this.#store.groups());
  }

  async list(request: Request, response: Response): Promise<void> {
    const [pool, pg] = [request.params["pool"], request.params["pg"]].map(Number);
    if (!isCount(pool, 0xffff) || !isCount(pg, 0xffff_ffff)) {
      throw new FsError("EINVAL", "no such placement group");
    }
    const { cursor } = request.query;
    const after = typeof cursor === "string" ? cursor : undefined;
    const page = await this.#store.list(pool as PoolId, pg, after);
    const shards = page.shards.map(({ id, sizeBytes }) => [formatShardId(id), sizeBytes]);
    sendJson(response, page.next === undefined ? { shards } : { shards, next: page.next });
  }

  async stats(_request: Request, response: Response): Promise<void> {
    sendJson(response, await this.#store.stats());
  }
}

const MAX_JSON_BODY_BYTES = 64 * 1024;

function shardIdOf(request: Request): ShardId {
  const text = request.params["id"];
  const id = typeof text === "string" ? parseShardId(text) : undefined;
  if (id === undefined) throw new FsError("EINVAL", "malformed shard id");
  return id;
}

function isCount(value: number | undefined, max: number): value is number {
  return value !== undefined && Number.isInteger(value) && value >= 0 && value <= max;
}

function contentLength(request: IncomingMessage, max: number): number {
  const length = Number(request.headers["content-length"] ?? Number.NaN);
  if (!isCount(length, max)) {
    throw new FsError("EINVAL", `content-length must stand there and be at most ${max}`);
  }
  return length;
}

const RANGE = /^bytes=(\d{1,12})-(\d{1,12})$/;

function rangeOf(request: IncomingMessage): { offsetBytes: number; lengthBytes: number } {
  const { range } = request.headers;
  if (range === undefined) return { offsetBytes: 0, lengthBytes: MAX_SHARD_BYTES };
  const [first, last] = (RANGE.exec(range)?.slice(1) ?? []).map(Number);
  if (first === undefined || last === undefined || last < first) {
    throw new FsError("EINVAL", "a range is bytes=FIRST-LAST");
  }
  return { offsetBytes: first, lengthBytes: last - first + 1 };
}

/** A whole body of known length, read into one buffer. */
async function bodyOf(request: IncomingMessage, max: number): Promise<Buffer> {
  const body = Buffer.allocUnsafe(contentLength(request, max));
  let at = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) at += chunk.copy(body, at);
  } catch (error) {
    throw new FsError("EIO", "the sender went away", { cause: error });
  }
  if (at !== body.length) throw new FsError("EINVAL", "body is shorter than announced");
  return body;
}

async function idsOf(request: IncomingMessage, max: number): Promise<ShardId[]> {
  return decodeShardIds(await bodyOf(request, max * SHARD_KEY_BYTES));
}

/** Aborts when the one who asked has gone. */
function goneSignal(response: Response): AbortSignal {
  const controller = new AbortController();
  response.on("close", () => controller.abort(new FsError("EINTR", "the caller went away")));
  return controller.signal;
}

function done(request: IncomingMessage, response: Response): void {
  request.resume();
  response.writeHead(204);
  response.end();
}

function sendHead(response: Response, sizeBytes: number): void {
  response.writeHead(200, { "content-length": sizeBytes });
  response.end();
}

function sendJson(response: Response, value: unknown): void {
  response.json(value);
}

function sendBytes(response: Response, body: Buffer): void {
  response.writeHead(200, {
    "content-length": body.length,
    "content-type": "application/octet-stream",
  });
  response.end(body);
}

function problemOf(error: unknown): ReturnType<typeof shardProblem> {
  const known = error instanceof FsError ? error : undefined;
  return shardProblem(known ?? new FsError("EIO", "storage node failed", { cause: error }));
}

function answerError(error: unknown, request: Request, response: Response, log: Log): void {
  const expected = error instanceof FsError && error.code !== "EIO";
  if (!expected) log.error({ err: error, method: request.method, path: request.path }, "failed");
  const problem = problemOf(error);
  const body = JSON.stringify(problem);
  response.writeHead(problem.status, {
    "content-length": Buffer.byteLength(body),
    "content-type": PROBLEM_TYPE,
  });
  response.end(body);
  // What is left of the body is thrown away, so that the sender gets to read the answer.
  request.resume();
}
