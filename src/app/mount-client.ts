// Composes a mount: client session, VFS and the kernel channel, taken down in the opposite order.
import { hostname } from "node:os";
import { MAX_CLIENT_NAME_CHARS } from "../domain/limits.ts";
import { mountFuse, type FuseDriver } from "../fuse/driver.ts";
import { connectionAborter } from "../fuse/mounting/fuse-connection.ts";
import { clearStaleMount } from "../fuse/mounting/stale-mount.ts";
import { systemClock } from "../platform/clock.ts";
import { mapIds } from "../vfs/views/id-mapping-vfs.ts";
import { openSubdir } from "../vfs/views/subdir-vfs.ts";
import type { Vfs } from "../vfs/vfs.ts";
import { type ClientSessionOptions, openClientSession } from "./client-session.ts";

export interface StartMountOptions extends Omit<ClientSessionOptions, "clientName"> {
  /** Absolute path of an existing directory. */
  mountpoint: string;
  readOnly: boolean;
  allowOther: boolean;
  writeback: boolean;
  noExec?: boolean;
  noAtime?: boolean;
  /** Default: the channel, or fuse-native where that isn't built. */
  driver?: FuseDriver;
  /** Local ids that stand for this process's: see mapIds. */
  uid?: number;
  gid?: number;
  /** Directory of the file system that becomes the root. */
  subdir?: string;
  /** First column of mount(8). */
  fsName?: string;
}

export interface RunningMount {
  /** Resolves when the kernel has let go of the file system: unmounted by whomever, or aborted. */
  readonly closed: Promise<void>;
  /** @throws FsError EBUSY when files are open there or a process stands in it, unless `lazy` */
  unmount(options: { lazy: boolean }): Promise<void>;
  /** Whoever waits for the mount gets an error at once; for a process that can't go on. */
  abort(): void;
  /** After the unmount: commits what is dirty and ends the session. */
  close(): Promise<void>;
}

/**
 * Resolves when the mount answers.
 * @throws FsError of clearStaleMount (the mountpoint), openClientSession (the server), mountFuse
 */
export async function startMount(options: StartMountOptions): Promise<RunningMount> {
  const { mountpoint, log } = options;
  // First, since a wrong mountpoint needs no server to be told.
  if ((await clearStaleMount(mountpoint)) === "cleared") {
    log.info({ mountpoint }, "cleared the mount that a crashed process left behind");
  }
  const clientName = `mount ${hostname()}:${mountpoint}`.slice(0, MAX_CLIENT_NAME_CHARS);
  const session = await openClientSession({ ...options, clientName });
  try {
    const vfs = await viewOf(session.vfs, options);
    const mount = await mountFuse(
      { ...kernelOptions(options), mountpoint, vfs, log, clock: systemClock },
      options.driver,
    );
    // Its names and attributes time out within a second, pages of open files don't.
    session.meta.on("rolledBack", () => {
      for (const ino of session.openInodes()) mount.invalidateInode(ino);
    });
    return {
      closed: mount.closed,
      abort: await connectionAborter(mount.mountpoint),
      unmount: (how) => mount.unmount(how),
      close: () => session.close(),
    };
  } catch (error) {
    await session.close();
    throw error;
  }
}

function kernelOptions(options: StartMountOptions) {
  const { readOnly, allowOther, writeback, noExec = false, noAtime = false, fsName } = options;
  const named = fsName === undefined ? {} : { fsName };
  return { readOnly, allowOther, writeback, noExec, noAtime, ...named };
}

/** The file system as this mount shows it. @throws FsError ENOENT, ENOTDIR, EACCES of the subdir */
async function viewOf(vfs: Vfs, { subdir, uid, gid }: StartMountOptions): Promise<Vfs> {
  const own = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  const below = subdir === undefined ? vfs : await openSubdir(vfs, own, subdir);
  if (uid === undefined && gid === undefined) return below;
  const uids = uid === undefined ? undefined : { cluster: own.uid, local: uid };
  const gids = gid === undefined ? undefined : { cluster: own.gid, local: gid };
  return mapIds(below, uids, gids);
}
