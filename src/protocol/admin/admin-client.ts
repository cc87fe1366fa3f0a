// Client of the REST API: one method a route, answers checked, problems turned into FsError.
import { request } from "undici";
import type { z } from "zod";
import {
  API_BASE,
  backupReplySchema,
  clusterStatusSchema,
  loginReplySchema,
  problemSchema,
  repairsReplySchema,
  slicesReplySchema,
  userListSchema,
  userSchema,
  whoamiSchema,
  type BackupReply,
  type ClusterStatus,
  type LoginReply,
  type User,
  type WhoAmI,
  type WireRepair,
} from "./admin-api.ts";
import type { Role } from "../../auth/role.ts";
import { FsError, isErrnoName, type ErrnoName } from "../../domain/errno.ts";
import { RPC_CONNECT_TIMEOUT_MS } from "../rpc/limits.ts";

/** argon2id on a busy machine, behind others in the queue, takes its time. */
const ANSWER_TIMEOUT_MS = 30_000;
/** Between two pieces of a copy: a server that is asked much else, too. */
const COPY_PIECE_TIMEOUT_MS = 60_000;
/** Copying much metadata to slow nodes takes its time, and waits for a copy under way. */
const COPY_TIMEOUT_MS = 3_600_000;

type Method = "GET" | "POST" | "PUT" | "DELETE";

/**
 * Every method rejects with FsError: EACCES (not logged in, wrong password), EPERM (no admin),
 * ENOENT, EEXIST, EINVAL, EAGAIN (too many attempts), ECONNREFUSED or ETIMEDOUT (no server), EIO.
 */
export class AdminClient {
  readonly #url: string;
  readonly #token: string | undefined;

  /** `url` is the base URL of the metadata server. */
  constructor(url: string, token?: string) {
    this.#url = url;
    this.#token = token;
  }

  status(): Promise<ClusterStatus> {
    return this.#get("/status", clusterStatusSchema);
  }

  /** `client` names the token in lists. */
  login(user: string, password: string, client?: string): Promise<LoginReply> {
    return this.#call("POST", "/login", { user, password, client }, loginReplySchema);
  }

  /** Revokes the token this client was made with. */
  logout(): Promise<void> {
    return this.#send("POST", "/logout", {});
  }

  whoami(): Promise<WhoAmI> {
    return this.#get("/whoami", whoamiSchema);
  }

  async listUsers(): Promise<User[]> {
    return (await this.#get("/users", userListSchema)).users;
  }

  /** The first user of a cluster becomes its admin, whatever `role` says. */
  addUser(name: string, password: string, role?: Role): Promise<User> {
    return this.#call("POST", "/users", { name, password, role }, userSchema);
  }

  /** Revokes the user's tokens as well. */
  setPassword(name: string, password: string): Promise<void> {
    return this.#send("PUT", `/users/${encodeURIComponent(name)}/password`, { password });
  }

  removeUser(name: string): Promise<void> {
    return this.#send("DELETE", `/users/${encodeURIComponent(name)}`);
  }

  /**
   * The bytes of a copy of all the metadata, as it was when the last of them comes.
   * Ends early with ECONNREFUSED when the server can't go on: its log says why.
   */
  async *metadataCopy(): AsyncGenerator<Buffer> {
    const headers = this.#authorization();
    try {
      const { statusCode, body } = await request(new URL(`${API_BASE}/metadata/copy`, this.#url), {
        headers,
        headersTimeout: ANSWER_TIMEOUT_MS,
        bodyTimeout: COPY_PIECE_TIMEOUT_MS,
      });
      if (statusCode >= 400) {
        throw problemError(statusCode, parseJson(await body.text()), this.#url);
      }
      // No encoding is set, so they are bytes.
      yield* body as AsyncIterable<Buffer>;
    } catch (error) {
      throw error instanceof FsError ? error : connectionError(error, this.#url);
    }
  }

  /** Has the server make a copy of its metadata now; resolves when it is whole. */
  backup(): Promise<BackupReply> {
    return this.#call("POST", "/metadata/copies", {}, backupReplySchema, COPY_TIMEOUT_MS);
  }

  /** By repair: whether all was still as it expected, and so was done. */
  async repair(repairs: readonly WireRepair[]): Promise<boolean[]> {
    return (await this.#call("POST", "/metadata/repairs", { repairs }, repairsReplySchema)).done;
  }

  /** By slice: whether anything cites it. */
  async areLive(slices: readonly number[]): Promise<boolean[]> {
    return (await this.#call("POST", "/metadata/slices", { slices }, slicesReplySchema)).live;
  }

  #authorization(): Record<string, string> {
    return this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
  }

  #get<S extends z.ZodType>(path: string, schema: S): Promise<z.infer<S>> {
    return this.#call("GET", path, undefined, schema);
  }

  async #call<S extends z.ZodType>(
    method: Method,
    path: string,
    body: unknown,
    schema: S,
    timeoutMs = ANSWER_TIMEOUT_MS,
  ): Promise<z.infer<S>> {
    const parsed = schema.safeParse(await this.#exchange(method, path, body, timeoutMs));
    if (parsed.success) return parsed.data;
    throw new FsError("EPROTO", `${this.#url} answers what this version does not understand`, {
      cause: parsed.error,
    });
  }

  async #send(method: Method, path: string, body?: unknown): Promise<void> {
    await this.#exchange(method, path, body);
  }

  async #exchange(
    method: Method,
    path: string,
    body: unknown,
    timeoutMs = ANSWER_TIMEOUT_MS,
  ): Promise<unknown> {
    const headers = this.#authorization();
    if (body !== undefined) headers["content-type"] = "application/json";
    try {
      const response = await request(new URL(API_BASE + path, this.#url), {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        headersTimeout: timeoutMs,
        bodyTimeout: RPC_CONNECT_TIMEOUT_MS,
      });
      const text = await response.body.text();
      const answer: unknown = text === "" ? undefined : parseJson(text);
      if (response.statusCode >= 400) throw problemError(response.statusCode, answer, this.#url);
      return answer;
    } catch (error) {
      throw error instanceof FsError ? error : connectionError(error, this.#url);
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function problemError(status: number, answer: unknown, url: string): FsError {
  const problem = problemSchema.safeParse(answer);
  if (!problem.success) return new FsError("EIO", `${url} answers with HTTP status ${status}`);
  const { code, detail } = problem.data;
  return new FsError(isErrnoName(code) ? code : "EIO", detail);
}

function connectionError(error: unknown, url: string): FsError {
  const code = (error as { code?: unknown }).code;
  const timedOut =
    typeof code === "string" && code.startsWith("UND_ERR_") && code.endsWith("_TIMEOUT");
  const name: ErrnoName = timedOut ? "ETIMEDOUT" : "ECONNREFUSED";
  return new FsError(name, `the metadata server at ${url} does not answer`, { cause: error });
}
