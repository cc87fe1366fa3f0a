// Gets a descriptor of /dev/fuse with a mount behind it: mount(2) as root, fusermount3 as a user.
import { close, open } from "node:fs";
import { readFile } from "node:fs/promises";
import { getSystemErrorName, promisify } from "node:util";
import { FsError, isErrnoName } from "../../domain/errno.ts";
import type { ChannelAddon } from "../addon/addon.ts";
import { MAX_REQUEST_DATA_BYTES } from "./wire.ts";
import { mountAsUser } from "../mounting/fusermount.ts";

const DEVICE = "/dev/fuse";
const FUSE_CONF = "/etc/fuse.conf";
/** mount(8) shows the type as fuse.dfs. */
const SUBTYPE = "dfs";
/**
 * sys/mount.h; set-user-id programs and device nodes of a mount are ignored, as fusermount3 has it.
 */
const MS_RDONLY = 1;
const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;
const MS_NOATIME = 1024;

const openFile = promisify(open);
const closeFile = promisify(close);

export interface ConnectOptions {
  readonly mountpoint: string;
  readonly fsName: string;
  readonly readOnly: boolean;
  readonly allowOther: boolean;
  readonly noExec: boolean;
  readonly noAtime: boolean;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "EIO";
}

async function openDevice(): Promise<number> {
  try {
    return await openFile(DEVICE, "r+");
  } catch (cause) {
    const code = codeOf(cause);
    const advice =
      code === "ENOENT" || code === "ENODEV" || code === "ENXIO"
        ? "is missing: run `modprobe fuse`; in a container start it with `--device /dev/fuse`"
        : `cannot be opened (${code}); in a container start it with \`--device /dev/fuse\``;
    throw new FsError(isErrnoName(code) ? code : "EIO", `${DEVICE} ${advice}`, { cause });
  }
}

function kernelOptions(options: ConnectOptions): string[] {
  return [
    // The kernel checks permissions before it asks, which it does with POSIX ACLs anyway.
    "default_permissions",
    ...(options.allowOther ? ["allow_other"] : []),
    `max_read=${MAX_REQUEST_DATA_BYTES}`,
  ];
}

function mountError(mountpoint: string, name: string): FsError {
  const advice: Record<string, string> = {
    EPERM: "not permitted; in a container start it with `--cap-add SYS_ADMIN --device /dev/fuse`",
    ENODEV: "the kernel has no FUSE: run `modprobe fuse`",
    EBUSY: "the mountpoint is busy",
    ENOENT: "the mountpoint does not exist",
    ENOTDIR: "the mountpoint is not a directory",
    EACCES: "access denied",
  };
  const reason = advice[name] ?? name;
  return new FsError(isErrnoName(name) ? name : "EIO", `cannot mount ${mountpoint}: ${reason}`);
}

async function connectAsRoot(addon: ChannelAddon, options: ConnectOptions): Promise<number> {
  const fd = await openDevice();
  const data = [`fd=${fd}`, "rootmode=40000", "user_id=0", "group_id=0", ...kernelOptions(options)];
  const flags =
    MS_NOSUID |
    MS_NODEV |
    (options.readOnly ? MS_RDONLY : 0) |
    (options.noExec ? MS_NOEXEC : 0) |
    (options.noAtime ? MS_NOATIME : 0);
  const error = await addon.mount(
    options.fsName,
    options.mountpoint,
    `fuse.${SUBTYPE}`,
    flags,
    data.join(","),
  );
  if (error === 0) return fd;
  await closeFile(fd);
  throw mountError(options.mountpoint, getSystemErrorName(-error));
}

async function requireUserAllowOther(): Promise<void> {
  const conf = await readFile(FUSE_CONF, "utf8").catch(() => "");
  if (/^\s*user_allow_other\s*$/m.test(conf)) return;
  throw new FsError(
    "EPERM",
    `allow_other as a user needs the line \`user_allow_other\` in ${FUSE_CONF} ` +
      "(ask the administrator)",
  );
}

async function connectAsUser(addon: ChannelAddon, options: ConnectOptions): Promise<number> {
  if (options.allowOther) await requireUserAllowOther();
  // Opened only to see whether it can be: fusermount3 opens its own.
  await closeFile(await openDevice());
  const fsName = options.fsName.replace(/[\\,]/g, (character) => `\\${character}`);
  return mountAsUser(addon, options.mountpoint, [
    options.readOnly ? "ro" : "rw",
    "nosuid",
    "nodev",
    ...(options.noExec ? ["noexec"] : []),
    ...(options.noAtime ? ["noatime"] : []),
    `fsname=${fsName}`,
    `subtype=${SUBTYPE}`,
    ...kernelOptions(options),
  ]);
}

/**
 * Mounts; requests wait at the descriptor that is returned.
 * @throws FsError that says what is missing: ENOENT, ENODEV, EPERM, EACCES, EBUSY, ENOTDIR
 */
export function connectDevice(addon: ChannelAddon, options: ConnectOptions): Promise<number> {
  const root = process.geteuid?.() === 0;
  return root ? connectAsRoot(addon, options) : connectAsUser(addon, options);
}
