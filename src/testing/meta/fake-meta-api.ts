// The few routes of a metadata server that storage nodes call, for tests of nodes on their own.
import { EventEmitter, once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import {
  API_BASE,
  heartbeatSchema,
  nodeDamageSchema,
  registerNodeSchema,
  type Heartbeat,
  type NodeDamage,
  type RegisterNode,
} from "../../protocol/admin/admin-api.ts";

interface FakeMetaEvents {
  registered: RegisterNode;
  heartbeat: Heartbeat;
  damage: NodeDamage;
}

export class FakeMetaApi {
  clusterId = "cluster-1";
  /** Nodes that have registered; clear it to be a server that has forgotten them. */
  readonly nodes = new Map<string, RegisterNode>();
  readonly url: string;
  readonly #server: Server;
  readonly #events = new EventEmitter();

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** @param port that of a server that was closed, to come back as it */
  static async start(port = 0): Promise<FakeMetaApi> {
    const app = express();
    const server = createServer(app).listen(port, "127.0.0.1");
    await once(server, "listening");
    const meta = new FakeMetaApi(server);
    app.use(express.json());
    app.post(`${API_BASE}/nodes/register`, (request, response) => {
      const node = registerNodeSchema.parse(request.body);
      if (node.clusterId !== undefined && node.clusterId !== meta.clusterId) {
        const detail = `it belongs to ${node.clusterId}`;
        const problem = { type: "about:blank", title: "Conflict", status: 409, code: "EEXIST" };
        response
          .status(409)
          .type("application/problem+json")
          .json({ ...problem, detail });
        return;
      }
      meta.nodes.set(node.id, node);
      response.json({ epoch: 1, clusterId: meta.clusterId });
      meta.#emit("registered", node);
    });
    app.post(`${API_BASE}/nodes/:id/heartbeat`, (request, response) => {
      const known = meta.nodes.has(request.params.id);
      response.status(known ? 200 : 404).json({ epoch: 1 });
      if (known) meta.#emit("heartbeat", heartbeatSchema.parse(request.body));
    });
    app.post(`${API_BASE}/nodes/:id/damage`, (request, response) => {
      response.json({});
      meta.#emit("damage", nodeDamageSchema.parse(request.body));
    });
    return meta;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The next such request's body, once it is answered. */
  next<K extends keyof FakeMetaEvents>(event: K): Promise<FakeMetaEvents[K]> {
    return new Promise((resolve) => {
      this.#events.once(event, (body: FakeMetaEvents[K]) => resolve(body));
    });
  }

  #emit<K extends keyof FakeMetaEvents>(event: K, body: FakeMetaEvents[K]): void {
    this.#events.emit(event, body);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
