// Attributes, times and devices as the POSIX cases write them.
import {
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  type Attr,
  type Timespec,
} from "../../domain/attributes.ts";

/** Types that mknod makes. */
export const NODE_TYPES: Readonly<Record<string, number>> = {
  file: S_IFREG,
  fifo: S_IFIFO,
  char: S_IFCHR,
  block: S_IFBLK,
  socket: S_IFSOCK,
};

const KINDS = new Map([
  [S_IFREG, "file"],
  [S_IFIFO, "fifo"],
  [S_IFCHR, "char"],
  [S_IFBLK, "block"],
  [S_IFSOCK, "socket"],
  [S_IFDIR, "dir"],
  [S_IFLNK, "symlink"],
]);

const nanoseconds = (sec: number, nsec: number): string =>
  String(BigInt(sec) * 1_000_000_000n + BigInt(nsec));

/** What stat tells. */
export function told(attr: Attr): Record<string, string | number> {
  return {
    type: KINDS.get(attr.mode & S_IFMT) ?? "unknown",
    mode: (attr.mode & 0o7777).toString(8).padStart(4, "0"),
    uid: attr.uid,
    gid: attr.gid,
    rdev: `${(attr.rdev >>> 8) & 0xfff},${(attr.rdev & 0xff) | ((attr.rdev >>> 12) & 0xfff00)}`,
    nlink: attr.nlink,
    size: attr.sizeBytes,
    atime: nanoseconds(attr.atimeSec, attr.atimeNsec),
    mtime: nanoseconds(attr.mtimeSec, attr.mtimeNsec),
    ctime: nanoseconds(attr.ctimeSec, attr.ctimeNsec),
  };
}

/** A time in nanoseconds, `now`, or `omit`. */
export function timeOf(text: string): Timespec | "now" | undefined {
  if (text === "omit") return undefined;
  if (text === "now") return "now";
  const value = BigInt(text);
  const nsec = ((value % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return { sec: Number((value - nsec) / 1_000_000_000n), nsec: Number(nsec) };
}

/** dev_t of Linux with numbers as requests carry them: 12 bits of major, 20 of minor. */
export function deviceOf(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}
