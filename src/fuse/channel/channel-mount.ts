// Mounts a Vfs through the /dev/fuse channel, and serves it from this process's event loop.
import { realpath } from "node:fs/promises";
import { ERRNO, FsError } from "../../domain/errno.ts";
import type { Ino, Name } from "../../domain/ids.ts";
import { ATTR_CACHE_MS } from "../../vfs/coherence/limits.ts";
import type { Log } from "../../observability/log.ts";
import { deferred } from "../../platform/flow/deferred.ts";
import { CallerGroups } from "../mounting/caller-groups.ts";
import type { FuseMount, FuseMountOptions } from "../mounting/fuse-mount.ts";
import { loadChannelAddon, type Channel, type ChannelAddon } from "../addon/addon.ts";
import { Dispatcher } from "./dispatcher.ts";
import { isDying } from "./interrupts.ts";
import { encodeInvalidateEntry, encodeInvalidateInode } from "./notifications.ts";
import { connectDevice } from "./connect.ts";
import { withCallerGroups } from "../../vfs/views/grouped-vfs.ts";
import { setReadAhead } from "../mounting/kernel-read-ahead.ts";
import { clearStaleMount, unmountPath } from "../mounting/stale-mount.ts";

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
  const { clock } = options;
  const dispatcher = new Dispatcher(channel, {
    vfs: withCallerGroups(options.vfs, new CallerGroups(clock)),
    log: options.log,
    clock,
    layout: addon.layout,
    timeouts: {
      attrMs: options.attrTimeoutMs ?? ATTR_CACHE_MS,
      entryMs: options.entryTimeoutMs ?? ATTR_CACHE_MS,
    },
    init: {
      writeback: options.writeback ?? false,
      locks: options.vfs.setlk !== undefined,
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
    noExec: options.noExec ?? false,
    noAtime: options.noAtime ?? false,
  });
  const { channel, initialized, closed } = serve(addon, fd, options);
  await initialized;
  await setReadAhead(mountpoint, options.log);
  return new ChannelMount(mountpoint, channel, options.log, closed);
}
