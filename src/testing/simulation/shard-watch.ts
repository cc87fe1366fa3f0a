// What passes a node's door, compared over the whole run: one shard id means one shard, whoever
// writes it, and whatever was lost meanwhile.
import { crc32 } from "node:zlib";
import { formatShardId, type NodeId, type ShardId } from "../../domain/ids.ts";
import type { DamageReport } from "../../protocol/meta/meta-service.ts";
import { formatNodeName, type NodeName } from "../../protocol/shard/node-name.ts";
import type { ShardPayload, ShardService } from "../../protocol/shard/shard-service.ts";

export class ShardWatch {
  readonly #checksums = new Map<string, number>();
  /** Copies of which the server took a complaint. */
  readonly #reported = new Set<string>();
  readonly #broken: (what: string) => void;

  /** @param broken told of each rule that was broken */
  constructor(broken: (what: string) => void) {
    this.#broken = broken;
  }

  put(id: ShardId, { bytes }: ShardPayload): void {
    const name = formatShardId(id);
    const checksum = crc32(bytes);
    const known = this.#checksums.get(name);
    if (known !== undefined && known !== checksum) {
      this.#broken(`shard ${name} was written twice, with other bytes: its id was issued twice`);
    }
    this.#checksums.set(name, checksum);
  }

  /** A node does what it was asked, whoever was meant. */
  served(asked: NodeName, own: NodeName | undefined): void {
    const [meant, self] = [formatNodeName(asked), own && formatNodeName(own)];
    if (meant !== self) this.#broken(`${self ?? "a stranger"} does what ${meant} was asked for`);
  }

  /** The server has answered: from now on it is its to mend. */
  reported(reports: readonly DamageReport[]): void {
    for (const { node, shard, kind } of reports) {
      if (kind === "corrupt") this.#reported.add(copyOf(node, shard));
    }
  }

  isReported(node: NodeId, id: ShardId): boolean {
    return this.#reported.has(copyOf(node, id));
  }

  /** What was on its way to disk may be forgotten. */
  serverLostPower(): void {
    this.#reported.clear();
  }

  /** True when these are the bytes that were once written under the id. */
  isRight(id: ShardId, bytes: Uint8Array): boolean {
    const known = this.#checksums.get(formatShardId(id));
    return known === undefined || known === crc32(bytes);
  }
}

function copyOf(node: NodeId, id: ShardId): string {
  return `${node} ${formatShardId(id)}`;
}

/** The store as the network reaches it. */
export function watchedShards(store: ShardService, watch: ShardWatch): ShardService {
  return new Proxy(store, {
    get(target, name) {
      if (name === "put") {
        return (id: ShardId, payload: ShardPayload, signal?: AbortSignal) => {
          watch.put(id, payload);
          return target.put(id, payload, signal);
        };
      }
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
}
