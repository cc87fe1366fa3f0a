// One case an opcode: the body of a request, what the Vfs is asked and answers, and the body of the
// reply, all by the structs of linux/fuse.h.
import type { Attr } from "../../domain/attributes.ts";
import type { Ino } from "../../domain/ids.ts";
import { OP } from "../../fuse/channel/wire.ts";
import { pack, text, u32, u64, type Call } from "./fuse-frames.ts";
import { LOCK_CASES, LOCK_OWNER } from "./fuse-lock-cases.ts";

export const ATTR: Attr = {
  ino: 0x1_0000_0007 as Ino,
  mode: 0o100640,
  nlink: 3,
  uid: 1001,
  gid: 1002,
  rdev: 0,
  sizeBytes: 5_000_000_000,
  allocatedBytes: 513,
  atimeSec: -2,
  atimeNsec: 999_999_999,
  mtimeSec: 1_700_000_000,
  mtimeNsec: 1,
  ctimeSec: 5_000_000_000,
  ctimeNsec: 2,
};
const CALLER = { uid: 1000, gid: 100, pid: 4242 };
const CREATOR = { ...CALLER, umask: 0o22 };

/** struct fuse_attr of ATTR. */
const ATTR_OUT = pack(
  ...[u64(ATTR.ino), u64(5_000_000_000), u64(2)],
  ...[u64(-2), u64(1_700_000_000), u64(5_000_000_000)],
  ...[u32(999_999_999), u32(1), u32(2)],
  ...[u32(0o100640), u32(3), u32(1001), u32(1002), u32(0), u32(4096), u32(0)],
);
/** struct fuse_attr_out and fuse_entry_out with the timeouts of FrameChannel: 1.5 s and 2 s. */
const ATTR_REPLY = pack(u64(1), u32(500_000_000), u32(0), ATTR_OUT);
const ENTRY_REPLY = pack(
  ...[u64(ATTR.ino), u64(0), u64(2), u64(1), u32(0), u32(500_000_000)],
  ATTR_OUT,
);

export interface OperationCase {
  readonly opcode: number;
  readonly body: Buffer;
  readonly answers: Readonly<Record<string, unknown>>;
  readonly calls: readonly Call[];
  readonly reply: Buffer;
}

const opened = { fh: 9, attr: ATTR, keepCache: true };
const nothing = Buffer.alloc(0);
const padding = (bytes: number): Buffer => Buffer.alloc(bytes);

export const OPERATION_CASES: Readonly<Record<string, OperationCase>> = {
  LOOKUP: {
    opcode: OP.LOOKUP,
    body: pack(text("näme\xff")),
    answers: { lookup: ATTR },
    calls: [{ method: "lookup", args: [CALLER, 1, "näme\xff"] }],
    reply: ENTRY_REPLY,
  },
  "GETATTR with a handle": {
    opcode: OP.GETATTR,
    body: pack(u32(1), u32(0), u64(77)),
    answers: { getattr: ATTR },
    calls: [{ method: "getattr", args: [CALLER, 1, 77] }],
    reply: ATTR_REPLY,
  },
  "GETATTR without a handle": {
    opcode: OP.GETATTR,
    body: pack(u32(0), u32(0), u64(77)),
    answers: { getattr: ATTR },
    calls: [{ method: "getattr", args: [CALLER, 1, undefined] }],
    reply: ATTR_REPLY,
  },
  "SETATTR of everything": {
    opcode: OP.SETATTR,
    body: pack(
      ...[u32(0x7f), u32(0), u64(5), u64(2 ** 40), u64(0)],
      ...[u64(-10), u64(20), u64(0), u32(123), u32(456), u32(0)],
      ...[u32(0o100755), u32(0), u32(7), u32(8), u32(0)],
    ),
    answers: { setattr: ATTR },
    calls: [
      {
        method: "setattr",
        args: [
          CALLER,
          1,
          {
            sizeBytes: 2 ** 40,
            atime: { sec: -10, nsec: 123 },
            mtime: { sec: 20, nsec: 456 },
            mode: 0o100755,
            uid: 7,
            gid: 8,
            killPrivileges: true,
          },
          5,
        ],
      },
    ],
    reply: ATTR_REPLY,
  },
  "SETATTR of times to now": {
    opcode: OP.SETATTR,
    body: pack(u32(0x1b0), padding(84)),
    answers: { setattr: ATTR },
    calls: [{ method: "setattr", args: [CALLER, 1, { atime: "now", mtime: "now" }, undefined] }],
    reply: ATTR_REPLY,
  },
  "SETATTR that clears set-user-id": {
    opcode: OP.SETATTR,
    body: pack(u32(0x808), u32(0), u64(0), u64(3), padding(64)),
    answers: { setattr: ATTR },
    calls: [
      { method: "setattr", args: [CALLER, 1, { sizeBytes: 3, killPrivileges: true }, undefined] },
    ],
    reply: ATTR_REPLY,
  },
  READLINK: {
    opcode: OP.READLINK,
    body: nothing,
    answers: { readlink: "../t\xe9" },
    calls: [{ method: "readlink", args: [CALLER, 1] }],
    reply: Buffer.from("../t\xe9", "latin1"),
  },
  SYMLINK: {
    opcode: OP.SYMLINK,
    body: pack(text("link"), text("/to/x")),
    answers: { symlink: ATTR },
    calls: [{ method: "symlink", args: [CALLER, 1, "link", "/to/x"] }],
    reply: ENTRY_REPLY,
  },
  MKNOD: {
    opcode: OP.MKNOD,
    body: pack(u32(0o020600), u32(0x103), u32(0o22), u32(0), text("null")),
    answers: { mknod: ATTR },
    calls: [{ method: "mknod", args: [CREATOR, 1, "null", 0o020600, 0x103] }],
    reply: ENTRY_REPLY,
  },
  MKDIR: {
    opcode: OP.MKDIR,
    body: pack(u32(0o40755), u32(0o22), text("d")),
    answers: { mkdir: ATTR },
    calls: [{ method: "mkdir", args: [CREATOR, 1, "d", 0o40755] }],
    reply: ENTRY_REPLY,
  },
  UNLINK: {
    opcode: OP.UNLINK,
    body: pack(text("f")),
    answers: {},
    calls: [{ method: "unlink", args: [CALLER, 1, "f"] }],
    reply: nothing,
  },
  RMDIR: {
    opcode: OP.RMDIR,
    body: pack(text("d")),
    answers: {},
    calls: [{ method: "rmdir", args: [CALLER, 1, "d"] }],
    reply: nothing,
  },
  RENAME: {
    opcode: OP.RENAME,
    body: pack(u64(55), text("from"), text("to")),
    answers: {},
    calls: [{ method: "rename", args: [CALLER, 1, "from", 55, "to", 0] }],
    reply: nothing,
  },
  RENAME2: {
    opcode: OP.RENAME2,
    body: pack(u64(55), u32(2), u32(0), text("from"), text("to")),
    answers: {},
    calls: [{ method: "rename", args: [CALLER, 1, "from", 55, "to", 2] }],
    reply: nothing,
  },
  LINK: {
    opcode: OP.LINK,
    body: pack(u64(66), text("name")),
    answers: { link: ATTR },
    calls: [{ method: "link", args: [CALLER, 66, 1, "name"] }],
    reply: ENTRY_REPLY,
  },
  "OPEN for reading: pages are kept, close needs no FLUSH": {
    opcode: OP.OPEN,
    body: pack(u32(0o100000), u32(0)),
    answers: { open: opened },
    calls: [{ method: "open", args: [CALLER, 1, 0o100000] }],
    reply: pack(u64(9), u32(2 | 32), u32(0)),
  },
  "OPEN for writing": {
    opcode: OP.OPEN,
    body: pack(u32(2), u32(0)),
    answers: { open: { ...opened, keepCache: false } },
    calls: [{ method: "open", args: [CALLER, 1, 2] }],
    reply: pack(u64(9), u32(0), u32(0)),
  },
  "OPEN that truncates a set-user-id program": {
    opcode: OP.OPEN,
    body: pack(u32(0o1001), u32(1)),
    answers: { open: { ...opened, attr: { ...ATTR, mode: 0o104755 } }, setattr: ATTR },
    calls: [
      { method: "open", args: [CALLER, 1, 0o1001] },
      { method: "setattr", args: [CALLER, 1, { killPrivileges: true }, 9] },
    ],
    reply: pack(u64(9), u32(2), u32(0)),
  },
  CREATE: {
    opcode: OP.CREATE,
    body: pack(u32(0o302), u32(0o100644), u32(0o22), u32(0), text("new")),
    answers: { create: opened },
    calls: [{ method: "create", args: [CREATOR, 1, "new", 0o100644, 0o302] }],
    reply: pack(ENTRY_REPLY, u64(9), u32(2), u32(0)),
  },
  TMPFILE: {
    opcode: OP.TMPFILE,
    body: pack(u32(0o20200002), u32(0o100600), u32(0o22), u32(0), text("/")),
    answers: { createUnnamed: opened },
    calls: [{ method: "createUnnamed", args: [CREATOR, 1, 0o100600, 0o20200002] }],
    reply: pack(ENTRY_REPLY, u64(9), u32(2), u32(0)),
  },
  FALLOCATE: {
    opcode: OP.FALLOCATE,
    body: pack(u64(9), u64(2 ** 33), u64(2 ** 34), u32(3), u32(0)),
    answers: {},
    calls: [{ method: "fallocate", args: [CALLER, 9, 3, 2 ** 33, 2 ** 34] }],
    reply: nothing,
  },
  "LSEEK to data": {
    opcode: OP.LSEEK,
    body: pack(u64(9), u64(2 ** 33), u32(3), u32(0)),
    answers: { seek: 2 ** 34 },
    calls: [{ method: "seek", args: [9, 2 ** 33, "data"] }],
    reply: pack(u64(2 ** 34)),
  },
  "LSEEK to a hole": {
    opcode: OP.LSEEK,
    body: pack(u64(9), u64(0), u32(4), u32(0)),
    answers: { seek: 4096 },
    calls: [{ method: "seek", args: [9, 0, "hole"] }],
    reply: pack(u64(4096)),
  },
  COPY_FILE_RANGE: {
    opcode: OP.COPY_FILE_RANGE,
    body: pack(...[u64(9), u64(5), u64(44), u64(10), u64(2 ** 33), u64(77), u64(0)]),
    answers: { copyRange: 70 },
    calls: [
      {
        method: "copyRange",
        args: [CALLER, { fh: 9, offset: 5 }, { fh: 10, offset: 2 ** 33 }, 77],
      },
    ],
    reply: pack(u32(70), u32(0)),
  },
  COPY_FILE_RANGE_64: {
    opcode: OP.COPY_FILE_RANGE_64,
    body: pack(...[u64(9), u64(5), u64(44), u64(10), u64(0), u64(2 ** 40), u64(0)]),
    answers: { copyRange: 2 ** 40 },
    calls: [
      {
        method: "copyRange",
        args: [CALLER, { fh: 9, offset: 5 }, { fh: 10, offset: 0 }, 2 ** 40],
      },
    ],
    reply: pack(u64(2 ** 40)),
  },
  READ: {
    opcode: OP.READ,
    body: pack(u64(9), u64(2 ** 33), u32(4096), u32(0), u64(0), u32(0), u32(0)),
    answers: { read: [Buffer.from("ab"), Buffer.alloc(0), Buffer.from("cde")] },
    calls: [{ method: "read", args: [9, 2 ** 33, 4096] }],
    reply: Buffer.from("abcde"),
  },
  "READ at the end": {
    opcode: OP.READ,
    body: pack(u64(9), u64(0), u32(4096), u32(0), u64(0), u32(0), u32(0)),
    answers: { read: [] },
    calls: [{ method: "read", args: [9, 0, 4096] }],
    reply: nothing,
  },
  WRITE: {
    opcode: OP.WRITE,
    body: pack(...[u64(9), u64(7), u32(4), u32(4), u64(0), u32(0), u32(0)], Buffer.from("data")),
    answers: { write: 4 },
    calls: [{ method: "write", args: [9, 7, Buffer.from("data"), true] }],
    reply: pack(u32(4), u32(0)),
  },
  STATFS: {
    opcode: OP.STATFS,
    body: nothing,
    answers: { statfs: { totalBytes: 40960, freeBytes: 8192, inodes: 11 } },
    calls: [{ method: "statfs", args: [] }],
    reply: pack(
      ...[u64(10), u64(2), u64(2), u64(13), u64(2)],
      ...[u32(4096), u32(255), u32(4096), padding(28)],
    ),
  },
  RELEASE: {
    opcode: OP.RELEASE,
    body: pack(u64(9), u32(0), u32(0), u64(0)),
    answers: {},
    calls: [{ method: "release", args: [9] }],
    reply: nothing,
  },
  FLUSH: {
    opcode: OP.FLUSH,
    body: pack(u64(9), u32(0), u32(0), u32(0x0a0b0c0d), u32(0xfedcba98)),
    answers: {},
    calls: [{ method: "flush", args: [9, LOCK_OWNER] }],
    reply: nothing,
  },
  ...LOCK_CASES,
  "FSYNC of data only": {
    opcode: OP.FSYNC,
    body: pack(u64(9), u32(1), u32(0)),
    answers: {},
    calls: [{ method: "fsync", args: [9, true] }],
    reply: nothing,
  },
  FSYNCDIR: {
    opcode: OP.FSYNCDIR,
    body: pack(u64(9), u32(0), u32(0)),
    answers: {},
    calls: [{ method: "fsyncdir", args: [9] }],
    reply: nothing,
  },
  "FSYNCDIR of data only": {
    opcode: OP.FSYNCDIR,
    body: pack(u64(9), u32(1), u32(0)),
    answers: {},
    calls: [{ method: "syncfs", args: [] }],
    reply: nothing,
  },
  SYNCFS: {
    opcode: OP.SYNCFS,
    body: padding(8),
    answers: {},
    calls: [{ method: "syncfs", args: [] }],
    reply: nothing,
  },
  SETXATTR: {
    opcode: OP.SETXATTR,
    body: pack(u32(3), u32(1), text("user.a"), Buffer.from([0, 1, 255])),
    answers: {},
    calls: [{ method: "setxattr", args: [CALLER, 1, "user.a", new Uint8Array([0, 1, 255]), 1] }],
    reply: nothing,
  },
  "GETXATTR of a value": {
    opcode: OP.GETXATTR,
    body: pack(u32(3), u32(0), text("user.a")),
    answers: { getxattr: new Uint8Array([1, 2, 3]) },
    calls: [{ method: "getxattr", args: [CALLER, 1, "user.a"] }],
    reply: Buffer.from([1, 2, 3]),
  },
  "GETXATTR of a size": {
    opcode: OP.GETXATTR,
    body: pack(u32(0), u32(0), text("user.a")),
    answers: { getxattr: new Uint8Array([1, 2, 3]) },
    calls: [{ method: "getxattr", args: [CALLER, 1, "user.a"] }],
    reply: pack(u32(3), u32(0)),
  },
  LISTXATTR: {
    opcode: OP.LISTXATTR,
    body: pack(u32(100), u32(0)),
    answers: { listxattr: ["user.a", "user.\xe4"] },
    calls: [{ method: "listxattr", args: [CALLER, 1] }],
    reply: Buffer.from("user.a\0user.\xe4\0", "latin1"),
  },
  REMOVEXATTR: {
    opcode: OP.REMOVEXATTR,
    body: pack(text("user.a")),
    answers: {},
    calls: [{ method: "removexattr", args: [CALLER, 1, "user.a"] }],
    reply: nothing,
  },
  OPENDIR: {
    opcode: OP.OPENDIR,
    body: pack(u32(0), u32(0)),
    answers: { opendir: 12 },
    calls: [{ method: "opendir", args: [CALLER, 1] }],
    reply: pack(u64(12), u32(0), u32(0)),
  },
  RELEASEDIR: {
    opcode: OP.RELEASEDIR,
    body: pack(u64(12), u32(0), u32(0), u64(0)),
    answers: {},
    calls: [{ method: "releasedir", args: [12] }],
    reply: nothing,
  },
  DESTROY: { opcode: OP.DESTROY, body: nothing, answers: {}, calls: [], reply: nothing },
};
