// A demo cluster for one end-to-end test: separate processes, a real mount, a directory of its own,
// and all of it gone when the test has ended.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import type { DemoReport } from "../../cli/demo/demo-report.ts";
import type { FuseDriver } from "../../fuse/driver.ts";
import type { ClusterStatus } from "../../protocol/admin/admin-api.ts";
import { CommandHand } from "./command-hand.ts";
import { COMMAND_TIMEOUT_MS, type CommandResult, type RunOptions } from "./run-dfs.ts";

/**
 * A test that takes longer hangs. No promise of dfs: those are asserted with their own numbers.
 * Many times what the slowest takes, so that a busy machine fails none.
 */
export const HANG_MS = 900_000;
/** Waiting for something that has no event: a node's state in the cluster. */
const POLL_INTERVAL_MS = 100;

/**
 * What a hook has instead of a test's teardown: steps that another hook takes at the end, last ones
 * first.
 */
export class Teardowns {
  readonly #steps: (() => unknown)[] = [];

  teardown(step: () => unknown): void {
    this.#steps.push(step);
  }

  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) await step();
  }
}

export interface ClusterOptions {
  nodes?: number;
  mount?: boolean;
  driver?: FuseDriver;
  /** As of `dfs mount -o`. */
  mountOptions?: string;
}

export class E2eCluster {
  /** The demo's own directory. */
  readonly directory: string;
  readonly mnt: string;
  /** For files of the test, gone with it. */
  readonly scratch: string;
  /** This process writes into the mount. */
  readonly #hand = new CommandHand();

  private constructor(base: string) {
    this.directory = join(base, "cluster");
    this.mnt = join(this.directory, "mnt");
    this.scratch = base;
  }

  /**
   * Starts a cluster; it goes down when the test (or whoever else tears down) ends, however it
   * ends.
   */
  static async up(
    t: Pick<ExecutionContext, "teardown">,
    options: ClusterOptions = {},
  ): Promise<E2eCluster> {
    const base = await mkdtemp(join(tmpdir(), "dfs-e2e-"));
    const cluster = new E2eCluster(base);
    t.teardown(async () => {
      await cluster.demo("down", "--purge");
      cluster.#hand.close();
      await rm(base, { recursive: true, force: true });
    });
    const mount = options.mount === false ? ["--no-mount"] : [];
    if (options.driver !== undefined) mount.push("--driver", options.driver);
    if (options.mountOptions !== undefined) mount.push("-o", options.mountOptions);
    await cluster.demo("up", "--nodes", String(options.nodes ?? 6), ...mount);
    return cluster;
  }

  /** Environment of commands that act as the cluster's admin. */
  get env(): NodeJS.ProcessEnv {
    return { DFS_CONFIG_DIR: join(this.directory, "config"), DFS_META: undefined };
  }

  /** Runs a command as the admin, whatever its exit code. */
  run(args: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    return this.#hand.run(args, { ...options, env: { ...this.env, ...options.env } });
  }

  /** As run; throws with the command's stderr unless it exits with 0. Returns stdout. */
  async dfs(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(args);
    if (code !== 0)
      throw new Error(`dfs ${args.join(" ")}: exit code ${code ?? "none"}: ${stderr}`);
    return stdout;
  }

  demo(action: string, ...args: string[]): Promise<string> {
    return this.dfs("demo", action, "--dir", this.directory, ...args);
  }

  /**
   * Mounts it once more, at the new directory `name` of `scratch`, until `t` ends. Returns the
   * mountpoint.
   */
  async mountAgain(
    t: Pick<ExecutionContext, "teardown">,
    name: string,
    ...options: string[]
  ): Promise<string> {
    const mountpoint = join(this.scratch, name);
    await mkdir(mountpoint);
    t.teardown(async () => {
      await this.run(["umount", "--lazy", mountpoint]);
    });
    const logFile = join(this.scratch, `${name}.log`);
    await this.dfs("mount", mountpoint, "-d", "--log-file", logFile, ...options);
    return mountpoint;
  }

  async kill(...members: (number | string)[]): Promise<void> {
    for (const member of members) await this.demo("kill", String(member));
  }

  async start(...members: (number | string)[]): Promise<void> {
    for (const member of members) await this.demo("start", String(member));
  }

  async report(): Promise<DemoReport> {
    return JSON.parse(await this.demo("status", "--json")) as DemoReport;
  }

  /** `dfs status --json`, degraded or not. */
  async status(): Promise<ClusterStatus> {
    const { stdout, stderr, code } = await this.run(["status", "--json"]);
    if (code !== 0 && code !== 6)
      throw new Error(`dfs status: exit code ${code ?? "none"}: ${stderr}`);
    return JSON.parse(stdout) as ClusterStatus;
  }

  /** Polls until `holds`, which it will sooner or later; throws naming `what` when it doesn't. */
  async waitUntil(what: string, holds: () => Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + COMMAND_TIMEOUT_MS;
    while (!(await holds())) {
      if (performance.now() > deadlineMs) throw new Error(`waited in vain for: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
    }
  }

  /** Until the cluster map counts exactly this many nodes as up. */
  waitForUpNodes(count: number): Promise<void> {
    return this.waitUntil(`${count} nodes up`, async () => {
      const { nodes } = await this.status();
      return nodes.filter(({ state }) => state === "up").length === count;
    });
  }
}
