// One storage node over HTTP: ShardService for whoever has its URL and its name.
import { Pool } from "undici";
import { FsError } from "../../domain/errno.ts";
import { formatShardId, parseShardId, type PoolId, type ShardId } from "../../domain/ids.ts";
import type { Clock } from "../../platform/clock.ts";
import { CELL_BYTES } from "../../domain/format.ts";
import {
  CONNECT_TIMEOUT_MS,
  MAX_BATCH_SHARDS,
  MAX_PUT_CONNECTIONS,
  MAX_SHARD_PAGE,
  MAX_SECURE_SHARDS,
} from "./limits.ts";
import { exchange, type ExchangeReply, type ExchangeRequest } from "./shard-exchange.ts";
import { GetPool } from "./shard-get-pool.ts";
import { encodeShardIds } from "./shard-key.ts";
import {
  checkAnswerer,
  FOR_HEADER,
  formatNodeName,
  FROM_HEADER,
  type NodeName,
} from "./node-name.ts";
import { errorFromProblem } from "./shard-problem.ts";
import type {
  NodeStats,
  RebuildRequest,
  ShardInfo,
  ShardPage,
  ShardPayload,
  ShardService,
  ShardSlab,
  SecureDepth,
  ShardVerdict,
} from "./shard-service.ts";
import {
  CELL_CRCS_HEADER,
  checkPayload,
  decodeCellCrcs,
  decodeVerdicts,
  encodeCellCrcs,
  ROUTES,
  UNKNOWN_SIZE,
  WIRE_HEADER,
  WIRE_VERSION,
} from "./shard-wire.ts";

/** Of the node that must answer. */
export interface HttpShardOptions extends NodeName {
  clock: Clock;
  /** Connections for other requests than puts; those beyond them wait. */
  connections?: number;
}

/** A JSON answer is a page of a listing at most: an id and a size a line. */
const MAX_JSON_BYTES = MAX_SHARD_PAGE * 64 + 64 * 1024;
const DEFAULT_CONNECTIONS = 8;

/**
 * Errors are FsErrors as ShardService says. Time limits are the caller's signals: one that timed
 * out rejects with ETIMEDOUT, another abort with EINTR, and either costs the connection it was on.
 */
export class HttpShardService implements ShardService, AsyncDisposable {
  readonly #pool: Pool;
  /** Apart, so that no other request waits behind the puts of a slow node. */
  readonly #puts: Pool;
  readonly #name: NodeName;
  readonly #url: string;
  /** Of every request. */
  readonly #ownHeaders: Readonly<Record<string, string>>;
  /** Reads go their own, leaner way; not through TLS. */
  readonly #gets: GetPool | undefined;

  /** @param baseUrl e.g. http://10.0.0.7:7401 */
  constructor(baseUrl: string, options: HttpShardOptions) {
    const { origin, protocol } = new URL(baseUrl);
    this.#name = { cluster: options.cluster, node: options.node };
    this.#url = baseUrl;
    this.#ownHeaders = { [WIRE_HEADER]: WIRE_VERSION, [FOR_HEADER]: formatNodeName(options) };
    const connections = options.connections ?? DEFAULT_CONNECTIONS;
    this.#gets =
      protocol === "http:" ? new GetPool(new URL(origin), connections, options.clock) : undefined;
    this.#pool = poolOf(origin, connections);
    this.#puts = poolOf(origin, MAX_PUT_CONNECTIONS);
  }

  /** Ends what is under way and closes the connections. */
  async close(): Promise<void> {
    this.#gets?.close();
    await Promise.all([this.#pool.destroy(), this.#puts.destroy()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async put(id: ShardId, payload: ShardPayload, signal?: AbortSignal): Promise<void> {
    checkPayload(payload);
    const headers = { [CELL_CRCS_HEADER]: encodeCellCrcs(payload.cellCrcs) };
    const body = asBuffer(payload.bytes);
    const request = { method: "PUT", path: ROUTES.shard(id), headers, body } as const;
    await this.#send(request, signal, this.#puts);
  }

  async get(
    id: ShardId,
    offsetBytes: number,
    target: Uint8Array,
    signal?: AbortSignal,
  ): Promise<ShardSlab> {
    if (target.length === 0) {
      const { sizeBytes } = await this.head(id, signal);
      return { sizeBytes, bytes: target, cellCrcs: new Uint32Array(0) };
    }
    const range = `bytes=${offsetBytes}-${offsetBytes + target.length - 1}`;
    const path = ROUTES.shard(id);
    const reply = await this.#read(path, { range }, target, signal);
    return slabOf(reply, offsetBytes, target);
  }

  async head(id: ShardId, signal?: AbortSignal): Promise<ShardInfo> {
    const [info] = await this.headMany([id], signal);
    if (info === undefined) throw new FsError("ENOENT", `no shard ${formatShardId(id)} here`);
    return info;
  }

  async headMany(
    ids: readonly ShardId[],
    signal?: AbortSignal,
  ): Promise<(ShardInfo | undefined)[]> {
    const infos: (ShardInfo | undefined)[] = [];
    for (const batch of slicesOf(ids, MAX_BATCH_SHARDS)) {
      const { body } = await this.#post(ROUTES.headMany, encodeShardIds(batch), signal);
      if (body.length !== batch.length * 4) throw badReply("sizes of the shards asked for");
      batch.forEach((id, position) => {
        const sizeBytes = body.readUInt32LE(position * 4);
        infos.push(sizeBytes === UNKNOWN_SIZE ? undefined : { id, sizeBytes });
      });
    }
    return infos;
  }

  async deleteMany(ids: readonly ShardId[], signal?: AbortSignal): Promise<void> {
    for (const batch of slicesOf(ids, MAX_BATCH_SHARDS)) {
      await this.#post(ROUTES.deleteMany, encodeShardIds(batch), signal);
    }
  }

  async park(ids: readonly ShardId[], signal?: AbortSignal): Promise<void> {
    for (const batch of slicesOf(ids, MAX_BATCH_SHARDS)) {
      await this.#post(ROUTES.park, encodeShardIds(batch), signal);
    }
  }

  async unpark(ids: readonly ShardId[], signal?: AbortSignal): Promise<boolean[]> {
    const stand: boolean[] = [];
    for (const batch of slicesOf(ids, MAX_BATCH_SHARDS)) {
      const { body } = await this.#post(ROUTES.unpark, encodeShardIds(batch), signal);
      if (body.length !== batch.length) throw badReply("shards that stand again");
      stand.push(...[...body].map((byte) => byte === 1));
    }
    return stand;
  }

  async list(pool: PoolId, pg: number, cursor?: string, signal?: AbortSignal): Promise<ShardPage> {
    const query = cursor === undefined ? "" : `?cursor=${encodeURIComponent(cursor)}`;
    const reply = (await this.#getJson(ROUTES.group(pool, pg) + query, signal)) as {
      shards: [string, number][];
      next?: string;
    };
    const shards = reply.shards.map(([text, sizeBytes]) => {
      const id = parseShardId(text);
      if (id === undefined) throw badReply("shard ids");
      return { id, sizeBytes };
    });
    return reply.next === undefined ? { shards } : { shards, next: reply.next };
  }

  async groups(signal?: AbortSignal): Promise<[PoolId, number][]> {
    return (await this.#getJson(ROUTES.groups, signal)) as [PoolId, number][];
  }

  async secure(
    ids: readonly ShardId[],
    depth: SecureDepth,
    signal?: AbortSignal,
  ): Promise<ShardVerdict[]> {
    const path = `${ROUTES.secure}?depth=${depth}`;
    const verdicts: ShardVerdict[] = [];
    for (const batch of slicesOf(ids, MAX_SECURE_SHARDS)) {
      const { body } = await this.#post(path, encodeShardIds(batch), signal);
      verdicts.push(...decodeVerdicts(body, batch.length));
    }
    return verdicts;
  }

  async rebuild(request: RebuildRequest, signal?: AbortSignal): Promise<ShardInfo> {
    const body = Buffer.from(JSON.stringify({ policy: request.policy, sources: request.sources }));
    const reply = await this.#post(ROUTES.rebuild(request.id), body, signal);
    const { sizeBytes } = parseJson(reply.body) as { sizeBytes: number };
    return { id: request.id, sizeBytes };
  }

  async stats(signal?: AbortSignal): Promise<NodeStats> {
    return (await this.#getJson(ROUTES.stats, signal)) as NodeStats;
  }

  #post(path: string, body: Buffer, signal?: AbortSignal): Promise<ExchangeReply> {
    const maxReplyBytes = MAX_JSON_BYTES;
    return this.#send({ method: "POST", path, headers: {}, body, maxReplyBytes }, signal);
  }

  async #getJson(path: string, signal?: AbortSignal): Promise<unknown> {
    const request = { method: "GET", path, headers: {}, maxReplyBytes: MAX_JSON_BYTES } as const;
    return parseJson((await this.#send(request, signal)).body);
  }

  async #read(
    path: string,
    headers: Record<string, string>,
    target: Uint8Array,
    signal?: AbortSignal,
  ): Promise<ExchangeReply> {
    if (this.#gets === undefined) {
      return this.#send({ method: "GET", path, headers, target }, signal);
    }
    const reply = await this.#gets.get(path, { ...this.#ownHeaders, ...headers }, target, signal);
    return this.#good(reply);
  }

  async #send(
    request: ExchangeRequest,
    signal?: AbortSignal,
    pool = this.#pool,
  ): Promise<ExchangeReply> {
    Object.assign(request.headers, this.#ownHeaders);
    return this.#good(await exchange(pool, request, signal));
  }

  /**
   * A good answer of the node that was asked, in our version. What anybody else says, errors too,
   * says nothing about the node's shards.
   * @throws FsError what the problem says, EPROTO, ECONNREFUSED
   */
  #good(reply: ExchangeReply): ExchangeReply {
    const { status } = reply;
    const version = reply.header(WIRE_HEADER) ?? WIRE_VERSION;
    if (version !== WIRE_VERSION) {
      throw new FsError("EPROTO", `storage node speaks wire version ${version}`);
    }
    checkAnswerer(reply.header(FROM_HEADER), this.#name, this.#url);
    if (status >= 200 && status < 300) return reply;
    throw errorFromProblem(status, reply.body.toString("utf8"));
  }
}

function poolOf(origin: string, connections: number): Pool {
  return new Pool(origin, {
    connections,
    pipelining: 1,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

/** Bytes as undici sends them without a copy. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function badReply(what: string): FsError {
  return new FsError("EPROTO", `storage node's answer does not hold the ${what}`);
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw new FsError("EPROTO", "storage node's answer is not JSON", { cause: error });
  }
}

const CONTENT_RANGE = /^bytes (\d+)-(\d+)\/(\d+)$/;

/** The slab a range answer brought. @throws FsError EPROTO when head and body don't agree */
function slabOf(reply: ExchangeReply, offsetBytes: number, target: Uint8Array): ShardSlab {
  const fields = CONTENT_RANGE.exec(reply.header("content-range") ?? "");
  const [first, last, sizeBytes] = (fields?.slice(1) ?? []).map(Number);
  const expected = Math.min(target.length, (sizeBytes ?? 0) - offsetBytes);
  if (sizeBytes === undefined || first !== offsetBytes || last !== offsetBytes + expected - 1) {
    throw badReply("range asked for");
  }
  if (reply.bodyBytes !== expected) throw badReply("bytes it announced");
  const cells = Math.ceil(expected / CELL_BYTES);
  const cellCrcs = decodeCellCrcs(reply.header(CELL_CRCS_HEADER), cells);
  return { sizeBytes, bytes: target.subarray(0, expected), cellCrcs };
}

function* slicesOf<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
