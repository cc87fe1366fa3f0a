// Composes a mount: client session, VFS and the kernel channel, taken down in the opposite order.
import { hostname } from "node:os";
import { MAX_CLIENT_NAME_CHARS } from "../domain/limits.ts";
import { mountChannel } from "../fuse/mount.ts";
import { clearStaleMount } from "../fuse/stale-mount.ts";
import { type ClientSessionOptions, openClientSession } from "./client-session.ts";

export interface StartMountOptions extends Omit<ClientSessionOptions, "clientName"> {
  /** Absolute path of an existing directory. */
  mountpoint: string;
  readOnly: boolean;
  allowOther: boolean;
  writeback: boolean;
}

export interface RunningMount {
  /** Resolves when the kernel has let go of the file system: unmounted by whomever, or aborted. */
  readonly closed: Promise<void>;
  /** @throws FsError EBUSY when files are open there or a process stands in it, unless `lazy` */
  unmount(options: { lazy: boolean }): Promise<void>;
  /** After the unmount: commits what is dirty and ends the session. */
  close(): Promise<void>;
}

/**
 * Resolves when the mount answers.
 * @throws FsError of clearStaleMount (the mountpoint), openClientSession (the server), mountChannel
 */
export async function startMount(options: StartMountOptions): Promise<RunningMount> {
  const { mountpoint, readOnly, allowOther, writeback, log } = options;
  // First, since a wrong mountpoint needs no server to be told.
  if ((await clearStaleMount(mountpoint)) === "cleared") {
    log.info({ mountpoint }, "cleared the mount that a crashed process left behind");
  }
  const clientName = `mount ${hostname()}:${mountpoint}`.slice(0, MAX_CLIENT_NAME_CHARS);
  const session = await openClientSession({ ...options, clientName });
  try {
    const { vfs } = session;
    const mount = await mountChannel({ mountpoint, vfs, log, readOnly, allowOther, writeback });
    return {
      closed: mount.closed,
      unmount: (how) => mount.unmount(how),
      close: () => session.close(),
    };
  } catch (error) {
    await session.close();
    throw error;
  }
}
