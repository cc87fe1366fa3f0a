// The processes of a demo cluster: starting each, and finding the one a person named.
import { statfs } from "node:fs/promises";
import { type Daemon, spawnDaemon } from "../process/daemon.ts";
import { CliError, EXIT } from "../terminal/exit-codes.ts";
import type { DemoNode, DemoPaths, DemoStateFile } from "./demo-state.ts";
import { identifyProcess, type ProcessIdentity } from "./process-identity.ts";

/** Eight processes starting at once on two busy cores. */
const START_TIMEOUT_MS = 60_000;

/** One process of the cluster, as kill, pause, resume and start see it. */
export interface Member {
  readonly name: string;
  readonly process: ProcessIdentity | undefined;
  /** An argument that only this process has. */
  readonly marker: string;
  start(): Promise<void>;
}

export class DemoMembers {
  readonly #paths: DemoPaths;
  readonly #db: DemoStateFile;

  constructor(paths: DemoPaths, db: DemoStateFile) {
    this.#paths = paths;
    this.#db = db;
  }

  /** Environment in which commands find this cluster and its login. */
  environment(): NodeJS.ProcessEnv {
    return { ...process.env, DFS_CONFIG_DIR: this.#paths.config, DFS_META: this.metaUrl() };
  }

  /** @throws CliError (failure) before the metadata server was ever started */
  metaUrl(): string {
    const { url } = this.#db.data.meta;
    if (url === undefined) throw new CliError(EXIT.failure, "the metadata server never started");
    return url;
  }

  meta(): Member {
    const { meta } = this.#db.data;
    const start = async (): Promise<void> => {
      // The port of the first start is kept: nodes and mounts know the server by it.
      const port = meta.url === undefined ? "0" : new URL(meta.url).port;
      const args = ["meta", "--data", meta.data, "--port", port];
      const daemon = await this.#spawn("meta", args, process.env, (identity) => {
        meta.process = identity;
      });
      meta.url = daemon.details["url"] ?? "";
      await this.#db.write();
    };
    return { name: "meta", process: meta.process, marker: meta.data, start };
  }

  node(node: DemoNode): Member {
    const start = async (): Promise<void> => {
      const port = node.url === undefined ? "0" : new URL(node.url).port;
      const args = ["node", "--meta", this.metaUrl(), "--data", node.data, "--port", port];
      if (node.id === undefined) args.push("--capacity", String(await this.#shareOfDisk()));
      const name = `node-${node.number}`;
      const daemon = await this.#spawn(name, args, this.environment(), (identity) => {
        node.process = identity;
      });
      node.id = daemon.details["id"] ?? "";
      node.url = daemon.details["url"] ?? "";
      await this.#db.write();
    };
    return { name: `node ${node.number}`, process: node.process, marker: node.data, start };
  }

  /** What a new node may hold: all lie on one disk, which would count once for each. */
  async #shareOfDisk(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#paths.directory);
    return Math.max(1, Math.floor((bavail * bsize) / this.#db.data.nodes.length));
  }

  nodes(): Member[] {
    return this.#db.data.nodes.map((node) => this.node(node));
  }

  /** Undefined when the cluster was started with --no-mount. */
  mount(): Member | undefined {
    const { data } = this.#db;
    const { mount: mountpoint } = data;
    if (mountpoint === undefined) return undefined;
    const start = async (): Promise<void> => {
      const args = ["mount", mountpoint, "--meta", this.metaUrl()];
      if (data.mountOptions !== undefined) args.push("-o", data.mountOptions);
      if (data.driver !== undefined) args.push("--driver", data.driver);
      await this.#spawn("mount", args, this.environment(), (identity) => {
        data.mountProcess = identity;
      });
    };
    return { name: "mount", process: data.mountProcess, marker: mountpoint, start };
  }

  /** By node id, node number, "meta" or "mount". @throws CliError (not found) */
  find(name: string): Member {
    const mount = this.mount();
    if (name === "meta") return this.meta();
    if (name === "mount" && mount !== undefined) return mount;
    const { nodes } = this.#db.data;
    const node = nodes.find(({ id, number }) => id === name || String(number) === name);
    if (node !== undefined) return this.node(node);
    throw new CliError(
      EXIT.notFound,
      `the cluster has no "${name}"`,
      `Name a node by its id or by 1 to ${nodes.length}, or say meta or mount.`,
    );
  }

  /** The process is on record before it is ready, so that `down` finds it whatever happens. */
  async #spawn(
    name: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv,
    record: (identity: ProcessIdentity) => void,
  ): Promise<Daemon> {
    return spawnDaemon({
      args,
      env,
      logFile: this.#paths.log(name),
      timeoutMs: START_TIMEOUT_MS,
      onSpawn: async (pid) => {
        record(await identifyProcess(pid));
        await this.#db.write();
      },
    });
  }
}
