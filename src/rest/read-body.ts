// A request's JSON body, checked by its schema: the boundary for what comes in over HTTP.
import type { z } from "zod";
import { FsError } from "../domain/errno.ts";

/** @throws FsError EINVAL naming the first field that is wrong */
export function readBody<S extends z.ZodType>(
  request: { readonly body: unknown },
  schema: S,
): z.infer<S> {
  const parsed = schema.safeParse(request.body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? "body" : issue.path.join(".");
  throw new FsError("EINVAL", `${where}: ${issue?.message ?? "not valid"}`);
}
