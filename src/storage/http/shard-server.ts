// A storage node's HTTP face: single shards have a route of their own, all else is an express app.
// No middleware anywhere: each handler reads what it needs of the request.
import type { IncomingMessage, RequestListener } from "node:http";
import express, { type NextFunction, type Request, type Response } from "express";
import { FsError } from "../../domain/errno.ts";
import { InvariantViolation } from "../../domain/invariant.ts";
import { formatShardId, parseShardId, type PoolId, type ShardId } from "../../domain/ids.ts";
import { MAX_BATCH_SHARDS, MAX_SECURE_SHARDS } from "../../protocol/shard/limits.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import type { NodeName } from "../../protocol/shard/node-name.ts";
import { decodeShardIds, SHARD_KEY_BYTES } from "../../protocol/shard/shard-key.ts";
import { SECURE_DEPTHS } from "../../protocol/shard/shard-service.ts";
import { encodeVerdicts, UNKNOWN_SIZE } from "../../protocol/shard/shard-wire.ts";
import { addressedOnly } from "./addressed-only.ts";
import { parseRebuildRequest } from "./rebuild-request.ts";
import type { ShardStore } from "../shards/shard-store.ts";
import { answerDone, answerError, contentLength, isCount } from "./shard-answers.ts";
import { ShardRoute } from "./shard-route.ts";

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
  const route = new ShardRoute(options);
  const answer: RequestListener = (request, response) => {
    if (!route.takes(request, response)) app(request, response);
  };
  return addressedOnly(answer, options.name);
}

class ShardHandlers {
  readonly #store: ShardStore;

  constructor({ store }: ShardAppOptions) {
    this.#store = store;
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
    answerDone(request, response);
  }

  async park(request: Request, response: Response): Promise<void> {
    await this.#store.park(await idsOf(request, MAX_BATCH_SHARDS));
    answerDone(request, response);
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
