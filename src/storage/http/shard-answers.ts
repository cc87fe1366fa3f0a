// What the routes of a storage node share: how long a body is, and answers without one or of an
// error.
import type { IncomingMessage, ServerResponse } from "node:http";
import { FsError } from "../../domain/errno.ts";
import type { Log } from "../../observability/log.ts";
import { PROBLEM_TYPE, shardProblem } from "../../protocol/shard/shard-problem.ts";

export function isCount(value: number | undefined, max: number): value is number {
  return value !== undefined && Number.isInteger(value) && value >= 0 && value <= max;
}

/** @throws FsError EINVAL when it isn't said, or is more than `max` */
export function contentLength(request: IncomingMessage, max: number): number {
  const length = Number(request.headers["content-length"] ?? Number.NaN);
  if (!isCount(length, max)) {
    throw new FsError("EINVAL", `content-length must stand there and be at most ${max}`);
  }
  return length;
}

export function answerDone(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  response.writeHead(204);
  response.end();
}

/** Logs what isn't expected. */
export function answerError(
  error: unknown,
  request: IncomingMessage,
  response: ServerResponse,
  log: Log,
): void {
  const expected = error instanceof FsError && error.code !== "EIO";
  if (!expected) log.error({ err: error, method: request.method, path: request.url }, "failed");
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

function problemOf(error: unknown): ReturnType<typeof shardProblem> {
  const known = error instanceof FsError ? error : undefined;
  return shardProblem(known ?? new FsError("EIO", "storage node failed", { cause: error }));
}
