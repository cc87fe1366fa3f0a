// The metadata server's HTTP routes, put together.
import express, { type Express } from "express";
import type { Log } from "../observability/log.ts";
import { API_BASE, MAX_REPAIRS_BYTES } from "../protocol/admin/admin-api.ts";
import { FsError } from "../domain/errno.ts";
import { describeCluster, type StatusSources } from "./cluster-status.ts";
import { LoginGate } from "./login-gate.ts";
import { metadataRoutes, type MetadataSources } from "./metadata-routes.ts";
import { nodeRoutes } from "./node-routes.ts";
import { problemHandler, sendProblem } from "./problem.ts";
import { userRoutes } from "./user-routes.ts";

/** 1,024 damage reports fit. */
const MAX_BODY = "256kb";
/** Takes more. */
const REPAIRS_ROUTE = `${API_BASE}/metadata/repairs`;

export interface HttpAppOptions extends StatusSources, MetadataSources {
  readonly log: Log;
  /** False while starting or stopping. */
  isReady(): boolean;
}

export function createHttpApp(options: HttpAppOptions): Express {
  const { accounts, cluster, log } = options;
  const gate = new LoginGate(accounts);
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");

  app.get("/healthz", (_request, response) => {
    response.json({ status: "ok" });
  });
  app.get("/readyz", (_request, response) => {
    if (options.isReady()) response.json({ status: "ok" });
    else sendProblem(response, new FsError("EAGAIN", "starting or stopping"), 503);
  });

  app.use(REPAIRS_ROUTE, express.json({ limit: MAX_REPAIRS_BYTES }));
  app.use(API_BASE, express.json({ limit: MAX_BODY }));
  app.use(API_BASE, nodeRoutes(cluster));
  app.use(API_BASE, userRoutes(accounts, gate));
  app.use(API_BASE, metadataRoutes(options, gate));
  app.get(`${API_BASE}/status`, async (request, response) => {
    await gate.require(request);
    response.json(await describeCluster(options));
  });

  app.use((_request, response) => {
    sendProblem(response, new FsError("ENOENT", "there is nothing at this address"));
  });
  app.use(problemHandler(log));
  return app;
}
