// The FUSE edge through fuse-native: mounts a Vfs, and finds out by itself when the mount has
// ended.
import { readdir, readlink, realpath } from "node:fs/promises";
import { FsError } from "../../domain/errno.ts";
import type { Ino, Name } from "../../domain/ids.ts";
import { ATTR_CACHE_MS } from "../../vfs/coherence/limits.ts";
import { FUSE_NATIVE_END_POLL_MS } from "./limits.ts";
import type { Clock } from "../../platform/clock.ts";
import type { FuseMount, FuseMountOptions } from "../mounting/fuse-mount.ts";
import { setReadAhead } from "../mounting/kernel-read-ahead.ts";
import { clearStaleMount, isMounted, unmountPath } from "../mounting/stale-mount.ts";
import { Answers } from "./answers.ts";
import { attributeOperations } from "./attribute-operations.ts";
import type { FuseNativeContext } from "./context.ts";
import { fileOperations } from "./file-operations.ts";
import { nameOperations, readingOperations } from "./name-operations.ts";
import { loadFuseNative, type FuseNativeOperations, type FuseNativeOptions } from "./package.ts";
import { PathTable } from "./path-table.ts";
import { xattrOperations } from "./xattr-operations.ts";

const DEVICE = "/dev/fuse";
/**
 * The package copies mountpoint and options into buffers of 1,024 bytes and cuts what is longer.
 */
const MAX_ARGUMENT_BYTES = 1023;
const MAX_OPTIONS_BYTES = 600;

class FuseNativeMount implements FuseMount {
  readonly mountpoint: string;
  readonly closed: Promise<void>;
  readonly #table: PathTable;

  constructor(mountpoint: string, closed: Promise<void>, table: PathTable) {
    this.mountpoint = mountpoint;
    this.closed = closed;
    this.#table = table;
  }

  async unmount(options: { lazy?: boolean } = {}): Promise<void> {
    const lazy = options.lazy === true;
    await unmountPath(this.mountpoint, { lazy });
    if (!lazy) await this.closed;
  }

  invalidateInode(): void {
    // libfuse 2 has no way to tell the kernel: its timeouts bound what it may believe.
  }

  invalidateEntry(parent: Ino, name: Name): void {
    this.#table.drop({ parent, name });
  }
}

/** @throws FsError EOPNOTSUPP for what this driver would do wrong, saying why */
function requireSupported(options: FuseMountOptions): void {
  const refuse = (option: string, why: string): never => {
    throw new FsError("EOPNOTSUPP", `${option} needs the channel driver: fuse-native ${why}`);
  };
  if (options.allowOther === true) {
    refuse("allow_other", "doesn't tell who calls, so that others would act as you");
  }
  if (options.writeback === true) refuse("writeback", "has no write-back cache");
}

/**
 * Options that the package has no property for go in behind the one for the name. iconv, a module
 * of libfuse, makes every byte of a path one character, so that the package's UTF-8 decoding loses
 * nothing.
 */
function fuseNativeOptions(options: FuseMountOptions): FuseNativeOptions {
  const seconds = (ms: number): string => String(ms / 1000);
  const extra = [
    (options.fsName ?? "dfs").replace(/[\\,]/g, (character) => `\\${character}`),
    options.readOnly === true ? "ro" : "rw",
    ...(options.noExec === true ? ["noexec"] : []),
    ...(options.noAtime === true ? ["noatime"] : []),
    "big_writes",
    "use_ino",
    "from_code=UTF-8",
    "to_code=ISO-8859-1",
  ].join(",");
  if (Buffer.byteLength(extra) > MAX_OPTIONS_BYTES) {
    throw new FsError("ENAMETOOLONG", "the name of the file system is too long for fuse-native");
  }
  return {
    timeout: false,
    fsname: extra,
    subtype: "dfs",
    modules: "iconv",
    defaultPermissions: true,
    entryTimeout: seconds(options.entryTimeoutMs ?? ATTR_CACHE_MS),
    // To the kernel each hard link is another inode: with cached sizes one would hide what the
    // other grew.
    attrTimeout: seconds(options.attrTimeoutMs ?? 0),
  };
}

function operationsOf(context: FuseNativeContext): FuseNativeOperations {
  return {
    init: (answer) => answer(0),
    ...attributeOperations(context),
    ...nameOperations(context),
    ...readingOperations(context),
    ...fileOperations(context),
    ...xattrOperations(context),
  };
}

/** Descriptors of this process that are connections to the kernel's FUSE. */
async function connections(): Promise<Set<string>> {
  const found = new Set<string>();
  for (const fd of await readdir("/proc/self/fd")) {
    if ((await readlink(`/proc/self/fd/${fd}`).catch(() => "")) === DEVICE) found.add(fd);
  }
  return found;
}

/**
 * Resolves when libfuse has closed the connection, which it does when the last use of the mount
 * ends.
 */
async function connectionEnded(fd: string, clock: Clock): Promise<void> {
  while ((await readlink(`/proc/self/fd/${fd}`).catch(() => "")) === DEVICE) {
    await clock.sleep(FUSE_NATIVE_END_POLL_MS);
  }
}

function contextOf(options: FuseMountOptions): FuseNativeContext {
  const { vfs, log, clock } = options;
  const caller = {
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    groups: process.getgroups?.() ?? [],
  };
  const entryTimeoutMs = options.entryTimeoutMs ?? ATTR_CACHE_MS;
  const table = new PathTable({ vfs, caller, clock, entryTimeoutMs });
  return { vfs, caller, clock, table, answers: new Answers(clock, log), handles: new Map() };
}

/** @throws FsError EIO; libfuse has written why to stderr */
async function connect(
  mountpoint: string,
  context: FuseNativeContext,
  options: FuseNativeOptions,
): Promise<void> {
  const Fuse = loadFuseNative();
  const fuse = new Fuse(mountpoint, operationsOf(context), options);
  try {
    await new Promise<void>((resolve, reject) => {
      fuse.mount((error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  } catch (cause) {
    // It may be mounted with nobody to answer.
    if (await isMounted(mountpoint)) await unmountPath(mountpoint, { lazy: true });
    const said = cause instanceof Error ? cause.message : "";
    throw new FsError("EIO", `fuse-native cannot mount ${mountpoint}: ${said}`, { cause });
  }
}

/**
 * As mountChannel, through the package fuse-native. The process doesn't end by itself afterwards:
 * the package keeps the event loop alive.
 * @throws FsError ENOSYS (not installed), EOPNOTSUPP (an option that it can't do), ENOENT, ENOTDIR,
 * EBUSY, ENAMETOOLONG, EIO, each with a message that says what to do
 */
export async function mountFuseNative(options: FuseMountOptions): Promise<FuseMount> {
  loadFuseNative();
  requireSupported(options);
  await clearStaleMount(options.mountpoint);
  const mountpoint = await realpath(options.mountpoint);
  if (Buffer.byteLength(mountpoint) > MAX_ARGUMENT_BYTES) {
    throw new FsError("ENAMETOOLONG", "the mountpoint's path is too long for fuse-native");
  }
  const { clock } = options;
  const context = contextOf(options);
  const before = await connections();
  await connect(mountpoint, context, fuseNativeOptions(options));
  const fd = [...(await connections())].find((candidate) => !before.has(candidate));
  const closed = (async (): Promise<void> => {
    if (fd !== undefined) await connectionEnded(fd, clock);
    await context.answers.idle();
    context.table.clear();
  })();
  await setReadAhead(mountpoint, options.log);
  options.log.warn(
    { mountpoint },
    "mounted with fuse-native: modification times can't be set, locks hold on this machine only",
  );
  return new FuseNativeMount(mountpoint, closed, context.table);
}
