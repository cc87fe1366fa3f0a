// What a demo cluster remembers between commands, and where its files are.
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { Low } from "lowdb";
import { systemDisk } from "../../platform/disk/system-disk.ts";
import { systemRandom } from "../../platform/random.ts";
import { openDurableJson } from "../../platform/durable-json.ts";
import type { FuseDriver } from "../../fuse/driver.ts";
import { CliError, EXIT } from "../terminal/exit-codes.ts";
import type { ProcessIdentity } from "./process-identity.ts";

const STATE_VERSION = 1;

export interface DemoNode {
  /** 1…n: how people name it. */
  readonly number: number;
  readonly data: string;
  id?: string;
  url?: string;
  process?: ProcessIdentity;
}

export interface DemoState {
  version: number;
  /** Absent: `--no-mount`. */
  mount?: string;
  /** -o of every mount of this cluster. */
  mountOptions?: string;
  /** --driver of every mount of this cluster. */
  driver?: FuseDriver;
  mountProcess?: ProcessIdentity;
  meta: { data: string; url?: string; process?: ProcessIdentity };
  nodes: DemoNode[];
}

/** Files of a demo cluster, all below its directory. */
export class DemoPaths {
  readonly directory: string;

  constructor(directory: string | undefined) {
    this.directory = resolve(directory ?? defaultDirectory());
  }

  get state(): string {
    return join(this.directory, "demo.json");
  }
  get meta(): string {
    return join(this.directory, "meta");
  }
  get config(): string {
    return join(this.directory, "config");
  }
  get adminPassword(): string {
    return join(this.directory, "admin-password");
  }
  get logs(): string {
    return join(this.directory, "logs");
  }
  get defaultMount(): string {
    return join(this.directory, "mnt");
  }
  node(number: number): string {
    return join(this.directory, `node-${number}`);
  }
  log(name: string): string {
    return join(this.logs, `${name}.log`);
  }
}

function defaultDirectory(): string {
  const xdg = process.env["XDG_STATE_HOME"];
  const state = xdg !== undefined && xdg !== "" ? xdg : join(homedir(), ".local", "state");
  return join(state, "dfs", "demo");
}

/** The state in memory, and its file. Writes come one after the other, so that the newest wins. */
export class DemoStateFile {
  readonly data: DemoState;
  readonly #file: Low<DemoState>;
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: Low<DemoState>) {
    this.#file = file;
    this.data = file.data;
  }

  /** The state, or that of a cluster that isn't there yet: no nodes. */
  static async open(paths: DemoPaths): Promise<DemoStateFile> {
    const empty: DemoState = { version: STATE_VERSION, meta: { data: paths.meta }, nodes: [] };
    const file = await openDurableJson<DemoState>(paths.state, empty, {
      disk: systemDisk,
      random: systemRandom,
    });
    if (file.data.version !== STATE_VERSION) {
      throw new CliError(EXIT.failure, `${paths.state} was written by another version of dfs`);
    }
    return new DemoStateFile(file);
  }

  write(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#file.write());
    return this.#writing;
  }
}
