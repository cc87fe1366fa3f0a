// FsError → HTTP: status and problem+json (RFC 9457). The one place where that is decided.
import type { ErrorRequestHandler, Response } from "express";
import { FsError, type ErrnoName } from "../domain/errno.ts";
import { InvariantViolation } from "../domain/invariant.ts";
import type { Log } from "../observability/log.ts";
import { PROBLEM_CONTENT_TYPE, type Problem } from "../protocol/admin/admin-api.ts";

const STATUS_OF: Partial<Record<ErrnoName, number>> = {
  EINVAL: 400,
  EPERM: 403,
  ENOENT: 404,
  EEXIST: 409,
  EBUSY: 409,
  EFBIG: 413,
  EAGAIN: 429,
  ENOSPC: 507,
};

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad request",
  401: "Not logged in",
  403: "Not allowed",
  404: "Not found",
  409: "Conflict",
  413: "Too large",
  429: "Too many requests",
  500: "Internal error",
  503: "Not ready",
  507: "No space left",
};

/** What `error` is answered with; `status` where its code alone doesn't say it. */
export function problemOf(error: FsError, status?: number): Problem {
  const chosen = status ?? (error.code === "EACCES" ? 401 : (STATUS_OF[error.code] ?? 500));
  return {
    type: "about:blank",
    title: TITLES[chosen] ?? "Error",
    status: chosen,
    detail: error.message,
    code: error.code,
  };
}

export function sendProblem(response: Response, error: FsError, status?: number): void {
  const problem = problemOf(error, status);
  if (problem.status === 401) response.setHeader("WWW-Authenticate", "Bearer");
  response.status(problem.status).type(PROBLEM_CONTENT_TYPE).send(JSON.stringify(problem));
}

/** Express's last handler: whatever a route throws becomes a problem; bugs are logged once. */
export function problemHandler(log: Log): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    // Express would answer for it; the process ends when this turn does.
    if (error instanceof InvariantViolation) return;
    if (response.headersSent) {
      next(error);
      return;
    }
    if (error instanceof FsError) {
      sendProblem(response, error);
      return;
    }
    const status = bodyErrorStatus(error);
    if (status !== undefined) {
      sendProblem(response, new FsError("EINVAL", "the request's body is not readable"), status);
      return;
    }
    log.error({ err: error }, "a request failed unexpectedly");
    sendProblem(response, new FsError("EIO", "internal error; see the metadata server's log"));
  };
}

/** Express's body parser puts a 4xx status on what the client did wrong. */
function bodyErrorStatus(error: unknown): number | undefined {
  const status = (error as { status?: unknown } | undefined)?.status;
  return typeof status === "number" && status >= 400 && status < 500 ? status : undefined;
}
