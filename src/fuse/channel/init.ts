// The first exchange of a connection: which protocol and which features.
import { FsError } from "../../domain/errno.ts";
import { READ_AHEAD_BYTES } from "../mounting/limits.ts";
import type { Frame } from "./frame.ts";
import type { ReplyWriter } from "./reply-writer.ts";
import {
  FUSE_MAJOR,
  FUSE_MAX_MINOR,
  FUSE_MIN_MINOR,
  INIT_FLAG,
  INIT_OUT_BYTES,
  MAX_REQUEST_DATA_BYTES,
  MAX_REQUEST_PAGES,
} from "./wire.ts";

/**
 * Requests the kernel sends by itself (read-ahead, write-back) at a time, and when it calls that
 * busy.
 */
const MAX_BACKGROUND = 64;
const CONGESTION_THRESHOLD = 48;

export interface InitSettings {
  readonly writeback: boolean;
  /** Locks are asked of us; else the kernel keeps them, for this machine only. */
  readonly locks: boolean;
}

export interface Negotiated {
  /** False: the kernel speaks a newer major and will ask again in ours. */
  readonly agreed: boolean;
  readonly minor: number;
  readonly flags: number;
}

const WANTED_FLAGS =
  INIT_FLAG.ASYNC_READ |
  INIT_FLAG.ATOMIC_O_TRUNC |
  INIT_FLAG.BIG_WRITES |
  // The umask comes along with what is made, since a default ACL may take its place.
  INIT_FLAG.DONT_MASK |
  // Pages of a file that another client changed go when its new mtime is seen.
  INIT_FLAG.AUTO_INVAL_DATA |
  INIT_FLAG.DO_READDIRPLUS |
  INIT_FLAG.READDIRPLUS_AUTO |
  INIT_FLAG.ASYNC_DIO |
  INIT_FLAG.PARALLEL_DIROPS |
  // The kernel checks ACLs, too, and with them all permissions.
  INIT_FLAG.POSIX_ACL |
  INIT_FLAG.MAX_PAGES |
  INIT_FLAG.CACHE_SYMLINKS |
  INIT_FLAG.HANDLE_KILLPRIV_V2;

/** @throws FsError EPROTO when the kernel is too old */
export function negotiate(frame: Frame, settings: InitSettings): Negotiated {
  const major = frame.u32(0);
  const minor = frame.u32(4);
  if (major > FUSE_MAJOR) return { agreed: false, minor: FUSE_MAX_MINOR, flags: 0 };
  if (major < FUSE_MAJOR || minor < FUSE_MIN_MINOR) {
    throw new FsError(
      "EPROTO",
      `the kernel speaks FUSE ${major}.${minor}; ` +
        `${FUSE_MAJOR}.${FUSE_MIN_MINOR} (Linux 5.4) is needed`,
    );
  }
  const wanted =
    WANTED_FLAGS |
    (settings.writeback ? INIT_FLAG.WRITEBACK_CACHE : 0) |
    (settings.locks ? INIT_FLAG.POSIX_LOCKS | INIT_FLAG.FLOCK_LOCKS : 0);
  return { agreed: true, minor: Math.min(minor, FUSE_MAX_MINOR), flags: frame.u32(12) & wanted };
}

/** struct fuse_init_out. */
export function encodeInit(reply: ReplyWriter, negotiated: Negotiated): number {
  let at = reply.putU32(0, FUSE_MAJOR);
  at = reply.putU32(at, negotiated.minor);
  at = reply.putU32(at, READ_AHEAD_BYTES);
  at = reply.putU32(at, negotiated.flags);
  at = reply.putU16(at, MAX_BACKGROUND);
  at = reply.putU16(at, CONGESTION_THRESHOLD);
  at = reply.putU32(at, MAX_REQUEST_DATA_BYTES);
  at = reply.putU32(at, 1); // time granularity in ns
  at = reply.putU16(at, MAX_REQUEST_PAGES);
  return reply.putZeroes(at, INIT_OUT_BYTES - at);
}
