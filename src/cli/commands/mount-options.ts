// The -o options of `dfs mount`, as mount(8) and fstab(5) write them: comma-separated, later ones
// win.
import { FUSE_DRIVERS, isFuseDriver, type FuseDriver } from "../../fuse/driver.ts";
import { CliError, EXIT } from "../terminal/exit-codes.ts";
import { parseSize } from "../terminal/sizes.ts";

export interface MountFlags {
  readOnly: boolean;
  allowOther: boolean;
  writeback: boolean;
  noExec?: boolean;
  noAtime?: boolean;
  /** Local ids that stand for the mounting user's. */
  uid?: number;
  gid?: number;
  /** Directory of the file system that becomes the mount's root. */
  subdir?: string;
  driver?: FuseDriver;
  /** URL of the metadata server, as it was written. */
  meta?: string;
  /** File with logins, as `dfs login` keeps it. */
  credentials?: string;
  /** First column of fstab and of mount(8). */
  fsName?: string;
  cacheBytes?: number;
}

const EFFECTS: Readonly<Record<string, Partial<MountFlags>>> = {
  ro: { readOnly: true },
  rw: { readOnly: false },
  allow_other: { allowOther: true },
  writeback: { writeback: true },
  noexec: { noExec: true },
  exec: { noExec: false },
  noatime: { noAtime: true },
  // What every mount of ours is anyway.
  defaults: {},
  default_permissions: {},
  nosuid: {},
  nodev: {},
  async: {},
  relatime: {},
  nodiratime: {},
  // Meant for mount(8) and systemd, which hand them on.
  _netdev: {},
  auto: {},
  noauto: {},
  nofail: {},
  user: {},
  users: {},
  nouser: {},
  owner: {},
  group: {},
};

/** Options for others with names of any kind. */
const FOREIGN = /^(x-|X-|comment=|helper=|uhelper=)/;
/** mount(8)'s word for "pass over what you don't know". */
const SLOPPY = "sloppy";
/** A source in fstab that names no server. */
const NO_SOURCE = new Set(["none", "dfs", ""]);

const VALUES: Readonly<Record<string, (value: string) => Partial<MountFlags>>> = {
  uid: (value) => ({ uid: parseId("uid", value) }),
  gid: (value) => ({ gid: parseId("gid", value) }),
  subdir: (subdir) => ({ subdir }),
  driver: (value) => ({ driver: parseDriver(value) }),
  meta: (meta) => ({ meta }),
  credentials: (credentials) => ({ credentials }),
  cache: (value) => ({ cacheBytes: parseSize(value) }),
  fsname: (fsName) => ({ fsName }),
};

/** Largest uid that isn't the "unchanged" of chown(2). */
const MAX_ID = 2 ** 32 - 2;

function parseId(name: string, text: string): number {
  const id = Number(text);
  if (/^\d+$/.test(text) && id <= MAX_ID) return id;
  throw new CliError(EXIT.usage, `${name}=${text}: an id is a number, like that of \`id -u\``);
}

/** @throws CliError (usage) */
export function parseDriver(name: string): FuseDriver {
  if (isFuseDriver(name)) return name;
  throw new CliError(
    EXIT.usage,
    `unknown driver "${name}"`,
    `Known are: ${FUSE_DRIVERS.join(", ")}`,
  );
}

/** @throws CliError (usage) naming the unknown option and the known ones */
export function parseMountOptions(lists: readonly string[]): MountFlags {
  const flags: MountFlags = { readOnly: false, allowOther: false, writeback: false };
  const options = lists.flatMap((list) => list.split(",")).filter((part) => part !== "");
  const sloppy = options.includes(SLOPPY);
  for (const option of options) {
    if (option === SLOPPY || FOREIGN.test(option)) continue;
    const effect = effectOf(option);
    if (effect !== undefined) Object.assign(flags, effect);
    else if (!sloppy) throw unknownOption(option);
  }
  return flags;
}

function effectOf(option: string): Partial<MountFlags> | undefined {
  const at = option.indexOf("=");
  if (at < 0) return Object.hasOwn(EFFECTS, option) ? EFFECTS[option] : undefined;
  const name = option.slice(0, at);
  return Object.hasOwn(VALUES, name) ? VALUES[name]?.(option.slice(at + 1)) : undefined;
}

function unknownOption(option: string): CliError {
  const known = [...Object.keys(EFFECTS), ...Object.keys(VALUES).map((name) => `${name}=`)];
  return new CliError(
    EXIT.usage,
    `unknown mount option "${option}"`,
    `Known are: ${known.join(", ")}`,
  );
}

/** What the first column of fstab says: where the metadata server is, unless an option says so. */
export function applySource(flags: MountFlags, source: string | undefined): MountFlags {
  if (source === undefined) return flags;
  const named = { fsName: source, ...flags };
  return NO_SOURCE.has(source) ? named : { meta: source, ...named };
}
