// What both FUSE drivers are given and give: how a Vfs is to be mounted, and the handle to the
// mount.
import type { Ino, Name } from "../../domain/ids.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Vfs } from "../../vfs/vfs.ts";

export interface FuseMountOptions {
  mountpoint: string;
  vfs: Vfs;
  log: Log;
  clock: Clock;
  readOnly?: boolean;
  /** Let other users than the mounting one in; as a user this needs user_allow_other. */
  allowOther?: boolean;
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
  /** While busy, look for the next request so long before sleeping; default 0: sleep at once. */
  spinMicroseconds?: number;
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
  /** The kernel is to forget the inode's attributes and pages, where the driver can tell it so. */
  invalidateInode(ino: Ino): void;
  invalidateEntry(parent: Ino, name: Name): void;
}
