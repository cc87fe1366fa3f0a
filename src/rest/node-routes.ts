// Routes that storage nodes call: joining, heartbeats, damage they found, leaving.
// Any process that reaches this port may join as a node for now. The seam for join tokens and node
// certificates is here: a middleware on this router, before any of its routes.
import { Router } from "express";
import { FsError } from "../domain/errno.ts";
import { parseShardId } from "../domain/ids.ts";
import {
  heartbeatSchema,
  nodeDamageSchema,
  nodeSenderSchema,
  registerNodeSchema,
  type HeartbeatReply,
} from "../protocol/admin/admin-api.ts";
import type { ClusterRegistry } from "../meta/cluster/cluster-registry.ts";
import { readBody } from "./read-body.ts";

export function nodeRoutes(cluster: ClusterRegistry): Router {
  const router = Router();
  router.post("/nodes/{*rest}", async (request, response, next) => {
    const answer = await answerNode(cluster, request.path, request.body);
    if (answer === undefined) next();
    else if (answer === "done") response.status(204).end();
    else response.json(answer);
  });
  return router;
}

const PATH = /^\/nodes\/(?:(register)|([^/]+)\/(heartbeat|damage|leaving))$/;

/**
 * What a node's POST to `path`, below API_BASE, is answered; undefined when there is no such path.
 * @throws FsError what the node is refused with
 */
export async function answerNode(
  cluster: ClusterRegistry,
  path: string,
  body: unknown,
): Promise<object | "done" | undefined> {
  const [, register, id = "", what] = PATH.exec(path) ?? [];
  if (register !== undefined) return await cluster.register(readBody({ body }, registerNodeSchema));
  if (what === "heartbeat") {
    const epoch = await cluster.heartbeat(id, readBody({ body }, heartbeatSchema));
    return { epoch } satisfies HeartbeatReply;
  }
  if (what === "leaving") {
    const epoch = await cluster.leaving(id, readBody({ body }, nodeSenderSchema));
    return { epoch } satisfies HeartbeatReply;
  }
  if (what !== "damage") return undefined;
  await takeDamage(cluster, id, body);
  return "done";
}

async function takeDamage(cluster: ClusterRegistry, id: string, body: unknown): Promise<void> {
  const { reports, ...sender } = readBody({ body }, nodeDamageSchema);
  const node = cluster.senderOf(id, sender).id;
  await cluster.groups.reportDamage(
    reports.map(({ shard: text, kind }) => {
      const shard = parseShardId(text);
      if (shard === undefined) throw new FsError("EINVAL", `${text} is no shard id`);
      return { shard, kind, node };
    }),
  );
}
