// Routes that storage nodes call: joining, heartbeats, damage they found, leaving.
// Any process that reaches this port may join as a node for now. The seam for join tokens and node
// certificates is here: a middleware on this router, before any of its routes.
import { Router } from "express";
import { FsError } from "../domain/errno.ts";
import { parseShardId, type NodeId } from "../domain/ids.ts";
import {
  heartbeatSchema,
  nodeDamageSchema,
  registerNodeSchema,
  type HeartbeatReply,
} from "../protocol/admin/admin-api.ts";
import type { ClusterRegistry } from "../meta/cluster/cluster-registry.ts";
import { readBody } from "./read-body.ts";

export function nodeRoutes(cluster: ClusterRegistry): Router {
  const router = Router();

  router.post("/nodes/register", async (request, response) => {
    response.json(await cluster.register(readBody(request, registerNodeSchema)));
  });

  router.post("/nodes/:id/heartbeat", async (request, response) => {
    const heartbeat = readBody(request, heartbeatSchema);
    const epoch = await cluster.heartbeat(request.params.id, heartbeat);
    response.json({ epoch } satisfies HeartbeatReply);
  });

  router.post("/nodes/:id/damage", async (request, response) => {
    const { id } = request.params;
    const { reports } = readBody(request, nodeDamageSchema);
    const node = requireNode(cluster, id);
    await cluster.groups.reportDamage(
      reports.map(({ shard: text, kind }) => {
        const shard = parseShardId(text);
        if (shard === undefined) throw new FsError("EINVAL", `${text} is no shard id`);
        return { shard, kind, node };
      }),
    );
    response.status(204).end();
  });

  router.post("/nodes/:id/leaving", async (request, response) => {
    const epoch = await cluster.leaving(request.params.id);
    response.json({ epoch } satisfies HeartbeatReply);
  });

  return router;
}

/** @throws FsError ENOENT */
function requireNode(cluster: ClusterRegistry, id: string): NodeId {
  const node = cluster.current().nodes.find((candidate) => candidate.id === id);
  if (node === undefined) throw new FsError("ENOENT", `node ${id} is not registered`);
  return node.id;
}
