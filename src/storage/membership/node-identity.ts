// Who a storage node is, kept in node.json of its data directory: its name for ever, the port it
// had, the cluster it belongs to and what the operator set.
import { join } from "node:path";
import type { Low } from "lowdb";
import { z } from "zod";
import { FsError } from "../../domain/errno.ts";
import type { NodeId } from "../../domain/ids.ts";
import type { NodeName } from "../../protocol/shard/node-name.ts";
import { openDurableJson, type DurableJsonPlace } from "../../platform/durable-json.ts";

/** Also that of the directory: what lies beside the file can be read where its version is known. */
const VERSION = 2;
const FILE = "node.json";
/** What a node makes beside it, once it has a name. */
const SHARD_FOLDERS = ["index", "shards"];

const identitySchema = z.object({
  version: z.literal(VERSION),
  id: z.string().regex(/^[0-9a-f]{12}$/),
  port: z.int().min(1).max(65_535).optional(),
  clusterId: z.string().optional(),
  capacityBytes: z.int().min(1).optional(),
  zone: z.string().optional(),
  weight: z.int().min(1).optional(),
  trashKeepMs: z.int().min(0).optional(),
});

/** Settings given at a start; later starts without them use what was given last. */
export interface NodeSettings {
  capacityBytes?: number | undefined;
  zone?: string | undefined;
  weight?: number | undefined;
  trashKeepMs?: number | undefined;
}

export class NodeIdentity {
  readonly #db: Low<z.infer<typeof identitySchema>>;

  private constructor(db: Low<z.infer<typeof identitySchema>>) {
    this.#db = db;
  }

  /**
   * Reads the identity in `directory`, or makes one where there are no shards either.
   * @throws FsError EIO when it is spoilt, of another version, or gone
   */
  static async open(directory: string, on: DurableJsonPlace): Promise<NodeIdentity> {
    const path = join(directory, FILE);
    const names = await on.disk.list(directory);
    if (!names.includes(FILE) && names.some((name) => SHARD_FOLDERS.includes(name))) {
      const message = `${path} is gone and the shards beside it are some node's: bring it back`;
      throw new FsError("EIO", message);
    }
    const id = on.random.bytes(6).toString("hex");
    const db = await openDurableJson<z.infer<typeof identitySchema>>(
      path,
      { version: VERSION, id },
      on,
    );
    refuseOthers(path, db.data);
    const parsed = identitySchema.safeParse(db.data);
    if (!parsed.success) {
      const message = `${path} is not a node's identity; restore it or use another directory`;
      throw new FsError("EIO", message, { cause: parsed.error });
    }
    db.data = parsed.data;
    await db.write();
    return new NodeIdentity(db);
  }

  get id(): NodeId {
    // The schema has checked its form.
    return this.#db.data.id as NodeId;
  }

  /** The port of the last start. */
  get port(): number | undefined {
    return this.#db.data.port;
  }

  get clusterId(): string | undefined {
    return this.#db.data.clusterId;
  }

  /** Who it is to others; undefined before it has joined a cluster. */
  get name(): NodeName | undefined {
    const { clusterId: cluster } = this.#db.data;
    return cluster === undefined ? undefined : { cluster, node: this.id };
  }

  get settings(): NodeSettings {
    const { capacityBytes, zone, weight, trashKeepMs } = this.#db.data;
    return { capacityBytes, zone, weight, trashKeepMs };
  }

  /** Keeps those settings that are given. */
  async keepSettings(settings: NodeSettings): Promise<void> {
    const given = Object.entries(settings).filter(([, value]) => value !== undefined);
    await this.#change(Object.fromEntries(given));
  }

  async keepPort(port: number): Promise<void> {
    await this.#change({ port });
  }

  async keepClusterId(clusterId: string): Promise<void> {
    await this.#change({ clusterId });
  }

  async #change(changes: Partial<z.infer<typeof identitySchema>>): Promise<void> {
    const before = JSON.stringify(this.#db.data);
    Object.assign(this.#db.data, changes);
    if (JSON.stringify(this.#db.data) !== before) await this.#db.write();
  }
}

/** @throws FsError EIO when the file is of a version that isn't ours */
function refuseOthers(path: string, data: { version?: unknown }): void {
  const { version } = data;
  if (typeof version !== "number" || version === VERSION) return;
  const message =
    `${path} and the shards beside it are of version ${version}, and this dfs knows ${VERSION}: ` +
    "start this node with an empty data directory, or with the dfs that wrote this one";
  throw new FsError("EIO", message);
}
