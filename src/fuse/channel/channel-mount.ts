// The FUSE edge as the program sees it: mount a Vfs through the /dev/fuse channel, and the handle
// to it.
import { realpath } from "node:fs/promises";
import { ERRNO, FsError } from "../../domain/errno.ts";
import type { Ino, Name } from "../../domain/ids.ts";
import { ATTR_CACHE_MS } from "../../vfs/limits.ts";
import type { Log } from "../../observability/log.ts";
import { systemClock, type Clock } from "../../platform/clock.ts";
import { deferred } from "../../platform/flow/deferred.ts";
import type { Vfs } from "../../vfs/vfs.ts";
import { CallerGroups } from "../mounting/caller-groups.ts";
import { loadChannelAddon, type Channel, type ChannelAddon } from "../addon/addon.ts";
import { Dispatcher } from "./dispatcher.ts";
import { isDying } from "./interrupts.ts";
import { encodeInvalidateEntry, encodeInvalidateInode } from "./notifications.ts";
import { connectDevice } from "./connect.ts";
import { withCallerGroups } from "../mounting/grouped-vfs.ts";
import { setReadAhead } from "../mounting/kernel-read-ahead.ts";
import { clearStaleMount, unmountPath } from "../mounting/stale-mount.ts";

/**
 * Two requests ahead. Cold sequential reads with 2 ms to answer in: 71 MB/s with the kernel's 128
 * KiB, 507 with 1 MiB, 889 with 2, 918 with 4; answered at once, 4 MiB is slower than 2 by cache
 * misses.
 */
const DEFAULT_READ_AHEAD_BYTES = 2 * 1024 * 1024;

export interface FuseMountOptions {
  mountpoint: string;
  vfs: Vfs;
  log: Log;
  readOnly?: boolean;
  /** Let other users than the mounting one in; as a user this needs user_allow_other. */
  allowOther?: boolean;
  /**
   * The kernel checks permissions before it asks, which it does with POSIX ACLs anyway; default
   * true.
   */
  defaultPermissions?: boolean;
  /** Programs on it aren't run. */
  noExec?: boolean;
  /** Shown by mount(8); access times aren't kept by reading anyway. */
  noAtime?: boolean;
  /** The kernel collects small writes and owns size and mtime meanwhile; default false. */
  writeback?: boolean;
  /** First column of mount(8), default "dfs". */
  fsName?: string;
  /** How long the kernel may keep attributes and names; default ATTR_CACHE_MS. */
  attrTimeoutMs?: number;
  entryTimeoutMs?: number;
  /** How long the kernel may remember that a name isn't there; default 0. */
  negativeTimeoutMs?: number;
  /** Read-ahead window of the mount, default 2 MiB; above 128 KiB only root can set it. */
  maxReadAheadBytes?: number;
  /** While busy, look for the next request so long before sleeping; default 0: sleep at once. */
  spinMicroseconds?: number;
  clock?: Clock;
}

export interface FuseMount {
  readonly mountpoint: string;
  /** Resolves when unmounted, by us, by umount, or aborted, and no operation is under way. */
  readonly closed: Promise<void>;
  /**
   * Waits until the connection has ended, but lazily only until the mount is out of the tree.
   * @throws FsError EBUSY when it is in use and not lazy
   */
  unmount(options?: { lazy?: boolean }): Promise<void>;
  /** Kernel cache invalidation, from the addon's own thread. */
  invalidateInode(ino: Ino): void;
  invalidateEntry(parent: Ino, name: Name): void;
}

class ChannelMount implements FuseMount {
  readonly mountpoint: string;
  readonly closed: Promise<void>;
  readonly #channel: Channel;
  readonly #log: Log;
  #dropping = false;

  constructor(mountpoint: string, channel: Channel, log: Log, closed: Promise<void>) {
    this.mountpoint = mountpoint;
    this.closed = closed;
    this.#channel = channel;
    this.#log = log;
  }

  async unmount(options: { lazy?: boolean } = {}): Promise<void> {
    const lazy = options.lazy === true;
    await unmountPath(this.mountpoint, { lazy });
    if (!lazy) await this.closed;
  }

  invalidateInode(ino: Ino): void {
    this.#notify(encodeInvalidateInode(ino));
  }

  invalidateEntry(parent: Ino, name: Name): void {
    this.#notify(encodeInvalidateEntry(parent, name));
  }

  /** What finds no room is lost; the timeouts of attributes and names bound what that can do. */
  #notify(message: Uint8Array): void {
    const dropped = !this.#channel.notify(message);
    if (dropped && !this.#dropping) this.#log.warn("kernel cache invalidations are being dropped");
    this.#dropping = dropped;
  }
}

interface Served {
  readonly channel: Channel;
  /** The kernel has had its first answer. */
  readonly initialized: Promise<void>;
  readonly closed: Promise<void>;
}

/** Answers what comes from `fd` until it ends. */
function serve(addon: ChannelAddon, fd: number, options: FuseMountOptions): Served {
  const initialized = deferred();
  const closed = deferred();
  const channel = addon.start(
    fd,
    options.spinMicroseconds ?? 0,
    (count) => dispatcher.onBatch(count),
    (errno) => {
      initialized.reject(new FsError("EIO", "the mount ended before it began"));
      if (errno !== ERRNO.ENODEV) options.log.error({ errno }, "reading /dev/fuse failed");
      dispatcher.interruptAll();
      void dispatcher.idle().then(closed.resolve);
    },
  );
  const clock = options.clock ?? systemClock;
  const dispatcher = new Dispatcher(channel, {
    vfs: withCallerGroups(options.vfs, new CallerGroups(clock)),
    log: options.log,
    clock,
    layout: addon.layout,
    timeouts: {
      attrMs: options.attrTimeoutMs ?? ATTR_CACHE_MS,
      entryMs: options.entryTimeoutMs ?? ATTR_CACHE_MS,
      negativeMs: options.negativeTimeoutMs ?? 0,
    },
    init: {
      writeback: options.writeback ?? false,
      locks: options.vfs.setlk !== undefined,
      maxReadAheadBytes: options.maxReadAheadBytes ?? DEFAULT_READ_AHEAD_BYTES,
    },
    isDying,
    onInit(negotiated) {
      options.log.debug(negotiated, "FUSE connection initialized");
      initialized.resolve();
    },
  });
  return { channel, initialized: initialized.promise, closed: closed.promise };
}

/**
 * Mounts `vfs` and serves it from this process's event loop; resolves when the mount answers.
 * @throws FsError ENOSYS (addon not built), ENOENT, ENOTDIR, EBUSY, EPERM, ENODEV, EPROTO, each
 * with a message that says what to do
 */
export async function mountChannel(options: FuseMountOptions): Promise<FuseMount> {
  const addon = loadChannelAddon();
  await clearStaleMount(options.mountpoint);
  const mountpoint = await realpath(options.mountpoint);
  const fd = await connectDevice(addon, {
    mountpoint,
    fsName: options.fsName ?? "dfs",
    readOnly: options.readOnly ?? false,
    allowOther: options.allowOther ?? false,
    defaultPermissions: options.defaultPermissions ?? true,
    noExec: options.noExec ?? false,
    noAtime: options.noAtime ?? false,
  });
  const { channel, initialized, closed } = serve(addon, fd, options);
  await initialized;
  await setReadAhead(
    mountpoint,
    options.maxReadAheadBytes ?? DEFAULT_READ_AHEAD_BYTES,
    options.log,
  );
  return new ChannelMount(mountpoint, channel, options.log, closed);
}
