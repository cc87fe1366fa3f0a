// The body of a rebuild request, validated.
import { z } from "zod";
import { FsError } from "../../domain/errno.ts";
import { MAX_DATA_SHARDS, MAX_PARITY_SHARDS } from "../../domain/format.ts";
import type { NodeId } from "../../domain/ids.ts";
import type { RebuildRequest } from "../../protocol/shard/shard-service.ts";

const MAX_SLOTS = MAX_DATA_SHARDS + MAX_PARITY_SHARDS;
/** Each slot may be known to stand on a few nodes. */
const MAX_SOURCES = 4 * MAX_SLOTS;

const requestSchema = z.object({
  policy: z.object({
    k: z.int().min(1).max(MAX_DATA_SHARDS),
    m: z.int().min(0).max(MAX_PARITY_SHARDS),
  }),
  sources: z
    .array(
      z.object({
        slot: z
          .int()
          .min(0)
          .max(MAX_SLOTS - 1),
        url: z.url({ protocol: /^https?$/ }),
        // The form of a NodeId.
        node: z
          .string()
          .regex(/^[0-9a-f]{12}$/)
          .transform((text) => text as NodeId),
      }),
    )
    .max(MAX_SOURCES),
});

/** @throws FsError EINVAL */
export function parseRebuildRequest(body: Buffer): Pick<RebuildRequest, "policy" | "sources"> {
  try {
    return requestSchema.parse(JSON.parse(body.toString("utf8")));
  } catch (error) {
    throw new FsError("EINVAL", "malformed rebuild request", { cause: error });
  }
}
