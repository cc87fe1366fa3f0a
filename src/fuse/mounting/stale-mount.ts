// Mounts seen from outside: is there one, has its server died, take it away. A mount is never
// touched from this process: it may be the one that serves it, or nobody may be there to answer.
import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { getSystemErrorName } from "node:util";
import { ERRNO, FsError, isErrnoName, isFsError } from "../../domain/errno.ts";
import { loadChannelAddon } from "../addon/addon.ts";
import { unmountAsUser, unmountByProgram } from "./fusermount.ts";
import { findMount, type MountEntry } from "./mount-table.ts";

const MNT_DETACH = 2;
/** A live server answers statfs in milliseconds; one that hangs is alive as far as we may judge. */
const PROBE_TIMEOUT_MS = 3000;
/** statfs always asks the server; stat may be answered from the kernel's cache after its death. */
const PROBE = `require("node:fs").statfs(process.argv[1], (error) => {
  process.exit(error?.code === "ENOTCONN" || error?.code === "ECONNABORTED" ? 3 : 0);
})`;

/** True when the server of the mount at `mountpoint` is gone. */
function isServerGone(mountpoint: string): Promise<boolean> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined = undefined;
    const child = execFile(process.execPath, ["-e", PROBE, mountpoint], { cwd: "/" }, (error) => {
      clearTimeout(timer);
      resolve(error?.code === 3);
    });
    timer = setTimeout(() => {
      // It may not even die before the server answers: don't wait for it.
      child.kill("SIGKILL");
      child.unref();
      resolve(false);
    }, PROBE_TIMEOUT_MS);
  });
}

async function requireDirectory(mountpoint: string): Promise<void> {
  const found = await stat(mountpoint).catch((error: unknown) => {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT") throw new FsError("ENOENT", `mountpoint ${mountpoint} does not exist`);
    throw new FsError(isErrnoName(code) ? code : "EIO", `cannot look at mountpoint ${mountpoint}`, {
      cause: error,
    });
  });
  if (!found.isDirectory()) {
    throw new FsError("ENOTDIR", `mountpoint ${mountpoint} is not a directory`);
  }
}

/** Whether anything is mounted at `mountpoint`, alive or not. */
export async function isMounted(mountpoint: string): Promise<boolean> {
  return (await findMount(mountpoint)) !== undefined;
}

/**
 * Makes sure that `mountpoint` is a directory with no mount on it, clearing one of ours whose
 * server has died.
 * @throws FsError ENOENT, ENOTDIR; EBUSY when something is mounted there that is alive or isn't
 * FUSE
 */
export async function clearStaleMount(mountpoint: string): Promise<"none" | "cleared"> {
  const mounted = await findMount(mountpoint);
  if (mounted === undefined) {
    await requireDirectory(mountpoint);
    return "none";
  }
  if (!mounted.type.startsWith("fuse") || !(await isServerGone(mountpoint))) {
    throw new FsError("EBUSY", `${mountpoint} already has ${describe(mounted)} mounted on it`);
  }
  await unmountPath(mountpoint, { lazy: true });
  return "cleared";
}

function describe(mounted: MountEntry): string {
  return `${mounted.source} (${mounted.type})`;
}

function busy(mountpoint: string, detail: string): FsError {
  const reason = detail === "" ? "" : ` (${detail})`;
  return new FsError(
    "EBUSY",
    `${mountpoint} is in use: a program has a file open or its working directory there, see ` +
      `\`fuser -vm ${mountpoint}\`; a lazy unmount takes it away now and ends it when they ` +
      `leave${reason}`,
  );
}

/** An errno or 0. Where the addon isn't built, umount(8) does it, and says less. */
async function unmountAsRoot(mountpoint: string, lazy: boolean): Promise<number> {
  try {
    return await loadChannelAddon().unmount(mountpoint, lazy ? MNT_DETACH : 0);
  } catch (error) {
    if (!isFsError(error, "ENOSYS")) throw error;
  }
  return (await unmountByProgram(mountpoint, lazy)).code === 0 ? 0 : ERRNO.EBUSY;
}

/**
 * Unmounts what is mounted at `mountpoint`: by umount2(2) as root, else through fusermount3.
 * Lazy: out of the tree at once, ended when its last user leaves.
 * @throws FsError EINVAL (nothing is mounted there), EBUSY, EPERM (somebody else's mount)
 */
export async function unmountPath(mountpoint: string, options: { lazy: boolean }): Promise<void> {
  const mounted = await findMount(mountpoint);
  if (mounted === undefined) throw new FsError("EINVAL", `nothing is mounted at ${mountpoint}`);
  if (process.geteuid?.() === 0) {
    const error = await unmountAsRoot(mounted.mountpoint, options.lazy);
    if (error === 0) return;
    if (error === ERRNO.EBUSY) throw busy(mountpoint, "");
    const name = getSystemErrorName(-error);
    throw new FsError(isErrnoName(name) ? name : "EIO", `cannot unmount ${mountpoint}: ${name}`);
  }
  const owner = `user_id=${process.geteuid?.() ?? 0}`;
  if (!mounted.superOptions.includes(owner)) {
    throw new FsError("EPERM", `${mountpoint} was mounted by another user`);
  }
  const outcome = await unmountAsUser(mounted.mountpoint, options.lazy);
  if (outcome.code !== 0) throw busy(mountpoint, outcome.message);
}
