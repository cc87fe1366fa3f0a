// Errors of a node on the wire: problem+json (RFC 9457) with the errno name as `code`.
import { FsError, isErrnoName, type ErrnoName } from "../../domain/errno.ts";

export const PROBLEM_TYPE = "application/problem+json";

export interface ShardProblem {
  type: "about:blank";
  title: string;
  status: number;
  detail: string;
  code: ErrnoName;
}

const STATUS_OF: Partial<Record<ErrnoName, [status: number, title: string]>> = {
  EINVAL: [400, "Malformed request"],
  EPROTO: [400, "Wire version not understood"],
  EACCES: [403, "Not allowed"],
  ENOENT: [404, "Unknown shard"],
  EEXIST: [409, "Other bytes stand under this id"],
  EBADMSG: [422, "Checksum wrong"],
  EAGAIN: [503, "Busy"],
  ETIMEDOUT: [504, "A peer did not answer"],
  ECONNREFUSED: [502, "A peer could not be reached"],
  ENOSPC: [507, "Disk full"],
};

export function shardProblem(error: FsError): ShardProblem {
  const [status, title] = STATUS_OF[error.code] ?? [500, "Storage node failed"];
  return { type: "about:blank", title, status, detail: error.message, code: error.code };
}

/** The error behind an answer that isn't 2xx; an answer without a known code is EIO. */
export function errorFromProblem(status: number, body: string): FsError {
  let problem: unknown;
  try {
    problem = JSON.parse(body);
  } catch (error) {
    return new FsError("EIO", `storage node answered ${status} without a reason`, { cause: error });
  }
  const fields = typeof problem === "object" && problem !== null ? problem : {};
  const { code, detail } = fields as { code?: unknown; detail?: unknown };
  if (!isErrnoName(code)) return new FsError("EIO", `storage node answered ${status}`);
  return new FsError(code, typeof detail === "string" ? detail : code);
}
