// How a command ends: the exit codes, and the one place where an error becomes a code and a line.
import { isFsError, type ErrnoName } from "../../domain/errno.ts";
import { FATAL_EXIT_CODE } from "../../observability/fatal.ts";

export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  auth: 4,
  /** The same command may succeed when tried again: a server doesn't answer right now. */
  retryable: 5,
  /** The command worked; what it tells of is not healthy. */
  degraded: 6,
  /** A bug: the process ended because something was not as it always is. */
  bug: FATAL_EXIT_CODE,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** A failure that the command can explain: the message says what is wrong, `todo` what to do. */
export class CliError extends Error {
  readonly exitCode: ExitCode;
  readonly todo: string | undefined;

  constructor(exitCode: ExitCode, message: string, todo?: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "CliError";
    this.exitCode = exitCode;
    this.todo = todo;
  }
}

const EXIT_BY_ERRNO: ReadonlyMap<string, ExitCode> = new Map<ErrnoName, ExitCode>([
  ["ENOENT", EXIT.notFound],
  ["EACCES", EXIT.auth],
  ["EPERM", EXIT.auth],
  ["EAGAIN", EXIT.retryable],
  ["ETIMEDOUT", EXIT.retryable],
  ["ECONNREFUSED", EXIT.retryable],
]);

function errnoOf(error: unknown): string | undefined {
  if (isFsError(error)) return error.code;
  if (error instanceof Error && "code" in error && typeof error.code === "string") {
    return error.code;
  }
  return undefined;
}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CliError) return error.exitCode;
  return EXIT_BY_ERRNO.get(errnoOf(error) ?? "") ?? EXIT.failure;
}

/** One line for stderr (two when there is advice); with DFS_LOG=debug the stack as well. */
export function describeError(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const todo = error instanceof CliError ? error.todo : undefined;
  const lines = [`dfs: ${message}`];
  if (todo !== undefined) lines.push(`  ${todo}`);
  if (process.env["DFS_LOG"] === "debug" && error instanceof Error) {
    lines.push(error.stack ?? "", causeOf(error));
  }
  return lines.filter((line) => line !== "").join("\n");
}

/** For stderr: a bug comes with its stack, always. */
export function describeBug(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `dfs: a bug: ${stack}`;
}

function causeOf(error: Error): string {
  if (error.cause === undefined) return "";
  return error.cause instanceof Error
    ? `caused by: ${error.cause.stack ?? error.cause.message}`
    : `caused by: ${JSON.stringify(error.cause)}`;
}
