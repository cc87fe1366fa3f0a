// The links to the nodes of the current cluster map, followed as the map changes.
import type { ClusterMap, MapHistory } from "../../domain/cluster-map.ts";
import type { NodeId } from "../../domain/ids.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import { NodeLink, type Connect } from "./node-link.ts";

export interface NodeLinksOptions {
  maps: () => MapHistory;
  connect: Connect;
  clock: Clock;
  log: Log;
}

export class NodeLinks {
  readonly #options: NodeLinksOptions;
  readonly #links = new Map<NodeId, NodeLink>();
  readonly #closing = new Set<Promise<void>>();
  #followed: ClusterMap | undefined;
  #closed = false;

  constructor(options: NodeLinksOptions) {
    this.#options = options;
  }

  /** The maps as they are now; links of nodes that left, or moved to another URL, are closed. */
  follow(): MapHistory {
    const maps = this.#options.maps();
    if (maps.current !== this.#followed && !this.#closed) {
      this.#followed = maps.current;
      this.#adopt(maps.current);
    }
    return maps;
  }

  /** The link to a node of the current map. */
  find(id: NodeId): NodeLink | undefined {
    return this.#links.get(id);
  }

  all(): readonly NodeLink[] {
    return [...this.#links.values()];
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const link of this.#links.values()) this.#drop(link);
    this.#links.clear();
    await Promise.all(this.#closing);
  }

  #adopt(map: ClusterMap): void {
    const { connect, clock, log } = this.#options;
    const gone = new Map(this.#links);
    for (const node of map.nodes) {
      const known = this.#links.get(node.id);
      if (known?.node.url === node.url) {
        known.update(node);
        gone.delete(node.id);
      } else {
        this.#links.set(node.id, new NodeLink(node, connect, clock, log));
      }
    }
    for (const [id, link] of gone) {
      if (this.#links.get(id) === link) this.#links.delete(id);
      this.#drop(link);
    }
  }

  #drop(link: NodeLink): void {
    const closing = link
      .close()
      .catch((error: unknown) => this.#options.log.warn({ err: error }, "closing a node's link"))
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}
