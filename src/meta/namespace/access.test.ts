import { ROOT_CALLER } from "../../domain/attributes.ts";
import type { Ino } from "../../domain/ids.ts";
import { ann, bob, testRules } from "../../testing/engine/engine-world.ts";

testRules([
  ["readdir of a file", "ENOTDIR", (ns, tx, w) => ns.readdir(tx, ann, w.file, 0, 10, false)],
  [
    "readdir without read permission",
    "EACCES",
    (ns, tx, w) => ns.readdir(tx, bob, w.anns, 0, 10, false),
  ],

  [
    "open to write what may only be read",
    "EACCES",
    (ns, tx, w) => ns.open(tx, ann, w.file, { read: true, write: true, truncate: false }),
  ],
  [
    "open to read",
    "ok",
    (ns, tx, w) => ns.open(tx, ann, w.file, { read: true, write: false, truncate: false }),
  ],
  [
    "open to run what may only be read",
    "EACCES",
    (ns, tx, w) =>
      ns.open(tx, ann, w.file, {
        read: true,
        write: false,
        truncate: false,
        execute: true,
      }),
  ],
  [
    "open to run what may not be read",
    "ok",
    (ns, tx, w) => {
      ns.setattr(tx, bob, w.bobs, { mode: 0o711 }, false);
      const access = { read: true, write: false, truncate: false, execute: true };
      return ns.open(tx, ann, w.bobs, access);
    },
  ],
  [
    "open to truncate what may only be read",
    "EACCES",
    (ns, tx, w) => ns.open(tx, ann, w.file, { read: true, write: false, truncate: true }),
  ],
  [
    "open of a directory",
    "EISDIR",
    (ns, tx, w) => ns.open(tx, ann, w.dir, { read: true, write: false, truncate: false }),
  ],
  [
    "open of a symlink",
    "ELOOP",
    (ns, tx, w) => ns.open(tx, ann, w.link, { read: true, write: false, truncate: false }),
  ],
  ["release of what is not open", "ok", (ns, tx, w) => ns.release(tx, [w.file, 999 as Ino])],

  [
    "chmod of another's file",
    "EPERM",
    (ns, tx, w) => ns.setattr(tx, ann, w.bobs, { mode: 0o600 }, false),
  ],
  ["chown to another", "EPERM", (ns, tx, w) => ns.setattr(tx, bob, w.bobs, { uid: 100 }, false)],
  ["chown to oneself", "ok", (ns, tx, w) => ns.setattr(tx, bob, w.bobs, { uid: 101 }, false)],
  [
    "chgrp to a group one is not in",
    "EPERM",
    (ns, tx, w) => ns.setattr(tx, bob, w.bobs, { gid: 20 }, false),
  ],
  [
    "chgrp to a supplementary group",
    "ok",
    (ns, tx, w) => ns.setattr(tx, ann, w.anns, { gid: 20 }, false),
  ],
  [
    "truncate without write permission",
    "EACCES",
    (ns, tx, w) => ns.setattr(tx, ann, w.file, { sizeBytes: 1 }, false),
  ],
  [
    "truncate by a handle",
    "ok",
    (ns, tx, w) => ns.setattr(tx, ann, w.file, { sizeBytes: 1 }, true),
  ],
  [
    "truncate of a directory",
    "EISDIR",
    (ns, tx, w) => ns.setattr(tx, ROOT_CALLER, w.dir, { sizeBytes: 1 }, false),
  ],
  [
    "truncate of a symlink",
    "EINVAL",
    (ns, tx, w) => ns.setattr(tx, ROOT_CALLER, w.link, { sizeBytes: 1 }, false),
  ],
  [
    "truncate to a negative size",
    "EINVAL",
    (ns, tx, w) => ns.setattr(tx, ROOT_CALLER, w.file, { sizeBytes: -1 }, false),
  ],
  [
    "truncate beyond the largest file",
    "EFBIG",
    (ns, tx, w) => ns.setattr(tx, ROOT_CALLER, w.file, { sizeBytes: 2 ** 53 + 2 }, false),
  ],
  [
    "touch of what may only be read",
    "EACCES",
    (ns, tx, w) => ns.setattr(tx, ann, w.file, { atime: "now", mtime: "now" }, false),
  ],
  [
    "touch of one time alone, of another's file",
    "EPERM",
    (ns, tx, w) => ns.setattr(tx, ann, w.file, { mtime: "now" }, false),
  ],
  [
    "clearing suid of what may only be read",
    "EACCES",
    (ns, tx, w) => ns.setattr(tx, ann, w.file, { killPrivileges: true }, false),
  ],
  [
    "a chosen time on another's file",
    "EPERM",
    (ns, tx, w) => ns.setattr(tx, ann, w.bobs, { mtime: { sec: 1, nsec: 0 } }, false),
  ],
  [
    "a chosen time on one's own file",
    "ok",
    (ns, tx, w) => ns.setattr(tx, bob, w.bobs, { atime: { sec: -1, nsec: 5 } }, false),
  ],
]);
