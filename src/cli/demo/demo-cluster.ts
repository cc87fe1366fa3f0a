// A demo cluster as a whole: up, its status, mounting anew, and down.
import { mkdir, rm, rmdir, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemRandom } from "../../platform/random.ts";
import type { FuseDriver } from "../../fuse/driver.ts";
import { unmountPath } from "../../fuse/mounting/stale-mount.ts";
import { AdminClient } from "../../protocol/admin/admin-client.ts";
import { clientName, Credentials } from "../session/credentials.ts";
import { CliError, EXIT } from "../terminal/exit-codes.ts";
import { isFuseMountpoint, mountpointsBelow } from "../process/mountpoint.ts";
import { DemoMembers, type Member } from "./demo-members.ts";
import { type DemoPaths, type DemoState, DemoStateFile } from "./demo-state.ts";
import { processState, signalProcess, waitForState } from "./process-identity.ts";

const ADMIN_NAME = "admin";
/** An orderly end writes what is dirty; with nodes missing that takes their timeouts. */
const STOP_TIMEOUT_MS = 10_000;
/** How long a mount may be busy before it is detached under whoever holds it. */
const BUSY_TIMEOUT_MS = 2000;
const NODES_UP_TIMEOUT_MS = 30_000;
const WRITE_CHECK_TIMEOUT_MS = 20_000;
const POLL_INTERVAL_MS = 25;

export interface UpOptions {
  nodes: number;
  /** Absolute; undefined: no mount. */
  mount: string | undefined;
  mountOptions: string | undefined;
  driver?: FuseDriver | undefined;
}

export class DemoCluster {
  readonly paths: DemoPaths;
  readonly #db: DemoStateFile;
  readonly members: DemoMembers;

  private constructor(paths: DemoPaths, db: DemoStateFile) {
    this.paths = paths;
    this.#db = db;
    this.members = new DemoMembers(paths, db);
  }

  static async open(paths: DemoPaths): Promise<DemoCluster> {
    return new DemoCluster(paths, await DemoStateFile.open(paths));
  }

  get state(): Readonly<DemoState> {
    return this.#db.data;
  }

  /** Starts whatever isn't running. Resolves when a file can be written (or all nodes are up). */
  async up(options: UpOptions): Promise<void> {
    await this.#describe(options);
    await startMissing(this.members.meta());
    const token = await this.#login();
    const mount = this.members.mount();
    await Promise.all([
      ...this.members.nodes().map(startMissing),
      ...(mount === undefined ? [] : [this.#startMount(mount)]),
    ]);
    const ids = this.state.nodes.flatMap((node) => (node.id === undefined ? [] : [node.id]));
    await this.waitUntilUp(ids, token);
    if (this.state.mount !== undefined) await checkWritable(this.state.mount);
  }

  /** Waits until the metadata server counts these nodes as up. @throws CliError (retryable) */
  async waitUntilUp(ids: readonly string[], token?: string): Promise<void> {
    const url = this.members.metaUrl();
    const admin = new AdminClient(url, token ?? (await this.#token()));
    const deadlineMs = performance.now() + NODES_UP_TIMEOUT_MS;
    for (;;) {
      const { nodes } = await admin.status();
      const up = new Set(nodes.filter(({ state }) => state === "up").map(({ id }) => id));
      if (ids.every((id) => up.has(id))) return;
      if (performance.now() > deadlineMs) {
        const missing = ids.filter((id) => !up.has(id)).join(", ");
        throw new CliError(EXIT.retryable, `nodes that don't come up: ${missing}`, this.paths.logs);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
    }
  }

  /** Unmounts and mounts anew: every cache of the client is cold. */
  async remount(): Promise<void> {
    const mount = this.members.mount();
    if (mount === undefined) throw new CliError(EXIT.usage, "this cluster has no mount");
    await this.#unmount(mount);
    await this.#startMount(mount);
  }

  /** Stops everything, after a crash too. `purge` removes the cluster's files as well. */
  async down(purge: boolean): Promise<void> {
    const mount = this.members.mount();
    if (mount !== undefined) await this.#unmount(mount);
    await Promise.all([this.members.meta(), ...this.members.nodes()].map(stop));
    if (purge) await this.#purge();
  }

  async #describe(options: UpOptions): Promise<void> {
    const { data } = this.#db;
    while (data.nodes.length < options.nodes) {
      const number = data.nodes.length + 1;
      data.nodes.push({ number, data: this.paths.node(number) });
    }
    if (options.mount !== undefined) {
      if (data.mount !== undefined && data.mount !== options.mount) {
        throw new CliError(EXIT.usage, `this cluster is mounted at ${data.mount}`, "Take it down.");
      }
      data.mount = options.mount;
      if (options.mountOptions !== undefined) data.mountOptions = options.mountOptions;
      if (options.driver !== undefined) data.driver = options.driver;
    }
    await mkdir(this.paths.directory, { recursive: true, mode: 0o700 });
    await this.#db.write();
  }

  /** Makes the first admin on a fresh cluster; returns the token of the stored login. */
  async #login(): Promise<string> {
    const url = this.members.metaUrl();
    const credentials = await Credentials.open(this.paths.config);
    const known = credentials.connection(url).token;
    if (known !== undefined) return known;
    const password = systemRandom.bytes(18).toString("base64url");
    await writeFile(this.paths.adminPassword, `${password}\n`, { mode: 0o600 });
    await new AdminClient(url).addUser(ADMIN_NAME, password);
    const { token } = await new AdminClient(url).login(ADMIN_NAME, password, clientName());
    await credentials.save(url, { user: ADMIN_NAME, token });
    return token;
  }

  async #token(): Promise<string | undefined> {
    return (await Credentials.open(this.paths.config)).connection(this.members.metaUrl()).token;
  }

  async #startMount(mount: Member): Promise<void> {
    if (!(await isFuseMountpoint(mount.marker))) await mkdir(mount.marker, { recursive: true });
    await startMissing(mount);
  }

  /** Orderly, then lazily, then by force: it ends with the mountpoint free and the process gone. */
  async #unmount(mount: Member): Promise<void> {
    const { process: identity, marker } = mount;
    const ended = (timeoutMs: number): Promise<boolean> =>
      waitForState(identity, marker, "dead", timeoutMs);
    if ((await processState(identity, marker)) !== "dead") {
      await signalProcess(identity, marker, "SIGCONT");
      await signalProcess(identity, marker, "SIGTERM");
      if (!(await ended(BUSY_TIMEOUT_MS))) {
        await signalProcess(identity, marker, "SIGTERM");
        if (!(await ended(STOP_TIMEOUT_MS))) {
          await signalProcess(identity, marker, "SIGKILL");
          await ended(STOP_TIMEOUT_MS);
        }
      }
    }
    if (await isFuseMountpoint(marker)) await unmountPath(marker, { lazy: true });
  }

  /** Removes only what a demo makes, so that a wrong --dir costs nothing. */
  async #purge(): Promise<void> {
    const { paths } = this;
    const inside = await mountpointsBelow(paths.directory);
    if (inside.length > 0) {
      throw new CliError(EXIT.failure, `still mounted: ${inside.join(", ")}`, "dfs umount --lazy");
    }
    const { mount, nodes } = this.state;
    const trees = [paths.meta, paths.logs, paths.config, ...nodes.map(({ data }) => data)];
    for (const tree of trees) await rm(tree, { recursive: true, force: true });
    for (const file of [paths.adminPassword, paths.state]) await rm(file, { force: true });
    for (const directory of [mount ?? paths.defaultMount, paths.directory]) {
      // Stays when something else is in it.
      await rmdir(directory).catch(() => undefined);
    }
  }
}

async function startMissing(member: Member): Promise<void> {
  const state = await processState(member.process, member.marker);
  if (state === "running") return;
  if (state === "paused") await signalProcess(member.process, member.marker, "SIGCONT");
  else await member.start();
}

async function stop(member: Member): Promise<void> {
  const { process: identity, marker } = member;
  if (!(await signalProcess(identity, marker, "SIGTERM"))) return;
  await signalProcess(identity, marker, "SIGCONT");
  if (await waitForState(identity, marker, "dead", STOP_TIMEOUT_MS)) return;
  await signalProcess(identity, marker, "SIGKILL");
  await waitForState(identity, marker, "dead", STOP_TIMEOUT_MS);
}

/** Writes and removes a file through the mount. @throws CliError when that fails or hangs */
async function checkWritable(mountpoint: string): Promise<void> {
  const file = join(mountpoint, `.dfs-demo-check-${process.pid}`);
  const attempt = async (): Promise<void> => {
    await writeFile(file, "dfs\n");
    await unlink(file);
  };
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new CliError(EXIT.retryable, `${mountpoint} doesn't answer`));
    }, WRITE_CHECK_TIMEOUT_MS);
  });
  try {
    await Promise.race([attempt(), tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
