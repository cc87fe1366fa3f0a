// Logins of this user on this machine: one profile per cluster URL in a 0600 file.
import { mkdir, stat } from "node:fs/promises";
import { homedir, hostname, userInfo } from "node:os";
import { dirname, join } from "node:path";
import type { Low } from "lowdb";
import { MAX_CLIENT_NAME_CHARS } from "../../domain/limits.ts";
import { systemDisk } from "../../platform/disk/system-disk.ts";
import { systemRandom } from "../../platform/random.ts";
import { openDurableJson } from "../../platform/durable-json.ts";
import { CliError, EXIT } from "../terminal/exit-codes.ts";

interface Profile {
  user: string;
  token: string;
}

interface CredentialsFile {
  version: 1;
  /** URL of the latest login: what commands use when they aren't told. */
  last?: string;
  profiles: Record<string, Profile>;
}

/** Which cluster a command talks to, and as whom. */
export interface Connection {
  url: string;
  token?: string;
}

export const DEFAULT_META_URL = "http://127.0.0.1:7400";

export function configDirectory(): string {
  const own = process.env["DFS_CONFIG_DIR"];
  if (own !== undefined && own !== "") return own;
  const xdg = process.env["XDG_CONFIG_HOME"];
  return join(xdg !== undefined && xdg !== "" ? xdg : join(homedir(), ".config"), "dfs");
}

/** How this machine's login is called in the server's list of tokens. */
export function clientName(): string {
  return `${userInfo().username}@${hostname()}`.slice(0, MAX_CLIENT_NAME_CHARS);
}

/**
 * The form in which URLs are compared and kept: with a scheme, without a path.
 * @throws CliError (usage)
 */
export function normalizeMetaUrl(text: string): string {
  try {
    const url = new URL(/^[a-z]+:\/\//i.test(text) ? text : `http://${text}`);
    if (url.protocol === "http:" || url.protocol === "https:") return url.origin;
  } catch {
    // Falls through to the one explanation below.
  }
  throw new CliError(
    EXIT.usage,
    `"${text}" is not the URL of a metadata server`,
    `Write it like ${DEFAULT_META_URL}.`,
  );
}

export class Credentials {
  readonly #directory: string;
  readonly #file: Low<CredentialsFile>;

  private constructor(directory: string, file: Low<CredentialsFile>) {
    this.#directory = directory;
    this.#file = file;
  }

  static open(directory = configDirectory()): Promise<Credentials> {
    return Credentials.#read(join(directory, "credentials.json"));
  }

  /** A file that must be there, and be its owner's alone. @throws CliError (not found, auth) */
  static async openFile(path: string): Promise<Credentials> {
    const found = await stat(path).catch((error: unknown) => {
      throw new CliError(EXIT.notFound, `cannot read credentials ${path}`, undefined, {
        cause: error,
      });
    });
    if ((found.mode & 0o077) !== 0) {
      throw new CliError(EXIT.auth, `${path} can be read by others`, `Run \`chmod 600 ${path}\`.`);
    }
    return Credentials.#read(path);
  }

  static async #read(path: string): Promise<Credentials> {
    const defaults: CredentialsFile = { version: 1, profiles: {} };
    return new Credentials(
      dirname(path),
      await openDurableJson(path, defaults, {
        disk: systemDisk,
        random: systemRandom,
      }),
    );
  }

  /** In order: `meta` (the option), DFS_META, the latest login, the default URL. */
  connection(meta?: string): Connection {
    const fromEnvironment = process.env["DFS_META"];
    const text =
      meta ??
      (fromEnvironment !== undefined && fromEnvironment !== "" ? fromEnvironment : undefined) ??
      this.#file.data.last ??
      DEFAULT_META_URL;
    const url = normalizeMetaUrl(text);
    const profile = this.#profile(url);
    return profile === undefined ? { url } : { url, ...profile };
  }

  async save(url: string, profile: Profile): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    this.#file.data.profiles[url] = profile;
    this.#file.data.last = url;
    await this.#file.write();
  }

  async forget(url: string): Promise<void> {
    const { profiles } = this.#file.data;
    this.#file.data.profiles = Object.fromEntries(
      Object.entries(profiles).filter(([key]) => key !== url),
    );
    await this.#file.write();
  }

  #profile(url: string): Profile | undefined {
    return Object.hasOwn(this.#file.data.profiles, url) ? this.#file.data.profiles[url] : undefined;
  }
}

/**
 * As `connection`, for commands that can't do without a login: from `file`, else from the usual
 * place.
 * @throws CliError (auth, not found)
 */
export async function requireLogin(
  meta?: string,
  file?: string,
): Promise<Connection & { token: string }> {
  const credentials = file === undefined ? Credentials.open() : Credentials.openFile(file);
  const connection = (await credentials).connection(meta);
  if (connection.token === undefined) {
    throw new CliError(
      EXIT.auth,
      `not logged in to ${connection.url}`,
      "Run `dfs login`; on a new cluster `dfs user add NAME` makes its first admin.",
    );
  }
  return { ...connection, token: connection.token };
}
