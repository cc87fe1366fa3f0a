import { ROOT_CALLER, S_IFCHR, S_IFDIR, S_IFIFO } from "../../domain/attributes.ts";
import { ROOT_INO as ROOT, type Ino } from "../../domain/ids.ts";
import { ann, bob, n, testRules } from "../../testing/engine/engine-world.ts";

const long = n("x".repeat(256));

testRules([
  ["lookup of a missing name", "ENOENT", (ns, tx, w) => ns.lookup(tx, ann, w.dir, n("no"))],
  ["lookup in a file", "ENOTDIR", (ns, tx, w) => ns.lookup(tx, ann, w.file, n("x"))],
  ["lookup without search permission", "EACCES", (ns, tx, w) => ns.lookup(tx, bob, w.anns, n("x"))],
  ["lookup of a name too long", "ENAMETOOLONG", (ns, tx, w) => ns.lookup(tx, ann, w.dir, long)],
  ["lookup of ..", "ok", (ns, tx, w) => ns.lookup(tx, ann, w.sub, n(".."))],
  ["getattr of a missing inode", "ENOENT", (ns, tx) => ns.getattr(tx, 999 as Ino)],

  [
    "mkdir of an existing name",
    "EEXIST",
    (ns, tx, w) => ns.mkdir(tx, ROOT_CALLER, w.dir, n("sub"), 0),
  ],
  ["mkdir without write permission", "EACCES", (ns, tx, w) => ns.mkdir(tx, ann, w.dir, n("x"), 0)],
  [
    "mkdir of an existing name without write permission",
    "EEXIST",
    (ns, tx, w) => ns.mkdir(tx, ann, w.dir, n("sub"), 0),
  ],
  ["mkdir where all may write", "ok", (ns, tx, w) => ns.mkdir(tx, ann, w.open, n("x"), 0)],
  ["mkdir below a file", "ENOTDIR", (ns, tx, w) => ns.mkdir(tx, ann, w.file, n("x"), 0)],
  ["mkdir of .", "EEXIST", (ns, tx, w) => ns.mkdir(tx, ROOT_CALLER, w.dir, n("."), 0)],
  [
    "mkdir with a slash in the name",
    "EINVAL",
    (ns, tx, w) => ns.mkdir(tx, ROOT_CALLER, w.dir, n("a/b"), 0),
  ],
  [
    "mkdir of a name too long",
    "ENAMETOOLONG",
    (ns, tx, w) => ns.mkdir(tx, ROOT_CALLER, w.dir, long, 0),
  ],
  [
    "mkdir of the longest name",
    "ok",
    (ns, tx, w) => ns.mkdir(tx, ROOT_CALLER, w.dir, n("x".repeat(255)), 0),
  ],

  [
    "mknod of a fifo",
    "ok",
    (ns, tx, w) => ns.mknod(tx, ann, w.open, n("x"), { mode: S_IFIFO | 0o600 }),
  ],
  [
    "mknod of a device by another than root",
    "EPERM",
    (ns, tx, w) => ns.mknod(tx, ann, w.open, n("x"), { mode: S_IFCHR, rdev: 5 }),
  ],
  [
    "mknod of a device by root",
    "ok",
    (ns, tx, w) => ns.mknod(tx, ROOT_CALLER, w.open, n("x"), { mode: S_IFCHR, rdev: 5 }),
  ],
  [
    "mknod of a directory",
    "EINVAL",
    (ns, tx, w) => ns.mknod(tx, ROOT_CALLER, w.open, n("x"), { mode: S_IFDIR }),
  ],

  ["symlink without a target", "ENOENT", (ns, tx, w) => ns.symlink(tx, ann, w.open, n("x"), "")],
  [
    "symlink with a target too long",
    "ENAMETOOLONG",
    (ns, tx, w) => ns.symlink(tx, ann, w.open, n("x"), "y".repeat(4096)),
  ],
  [
    "symlink with the longest target",
    "ok",
    (ns, tx, w) => ns.symlink(tx, ann, w.open, n("x"), "y".repeat(4095)),
  ],
  ["readlink of a file", "EINVAL", (ns, tx, w) => ns.readlink(tx, ann, w.file)],

  [
    "exclusive create of an existing file",
    "EEXIST",
    (ns, tx, w) => ns.create(tx, ROOT_CALLER, w.dir, n("file"), { mode: 0o644 }, true),
  ],
  [
    "create over a directory",
    "EISDIR",
    (ns, tx, w) => ns.create(tx, ROOT_CALLER, w.dir, n("sub"), { mode: 0o644 }, false),
  ],
  [
    "create of an existing file that may not be written",
    "EACCES",
    (ns, tx, w) => ns.create(tx, ann, w.dir, n("file"), { mode: 0o644 }, false),
  ],
  [
    "create without write permission",
    "EACCES",
    (ns, tx, w) => ns.create(tx, ann, w.dir, n("new"), { mode: 0o644 }, true),
  ],
  [
    "create of an unreadable file of one's own",
    "ok",
    (ns, tx, w) => ns.create(tx, ann, w.open, n("new"), { mode: 0 }, true),
  ],

  ["link to a directory", "EPERM", (ns, tx, w) => ns.link(tx, ROOT_CALLER, w.sub, w.dir, n("x"))],
  [
    "link to an existing name",
    "EEXIST",
    (ns, tx, w) => ns.link(tx, ROOT_CALLER, w.file, w.dir, n("sub")),
  ],
  [
    "link of a missing inode",
    "ENOENT",
    (ns, tx, w) => ns.link(tx, ROOT_CALLER, 999 as Ino, w.dir, n("x")),
  ],
  [
    "link without write permission",
    "EACCES",
    (ns, tx, w) => ns.link(tx, ann, w.file, w.dir, n("x")),
  ],

  ["unlink of a missing name", "ENOENT", (ns, tx, w) => ns.unlink(tx, ROOT_CALLER, w.dir, n("no"))],
  ["unlink of a directory", "EISDIR", (ns, tx, w) => ns.unlink(tx, ROOT_CALLER, w.dir, n("sub"))],
  [
    "unlink without write permission",
    "EACCES",
    (ns, tx, w) => ns.unlink(tx, ann, w.dir, n("file")),
  ],
  [
    "unlink of another's file in a sticky directory",
    "EPERM",
    (ns, tx, w) => ns.unlink(tx, ann, w.shared, n("bobs")),
  ],
  [
    "unlink of one's own file in a sticky directory",
    "ok",
    (ns, tx, w) => ns.unlink(tx, ann, w.shared, n("anns")),
  ],
  [
    "unlink of another's file by root in a sticky directory",
    "ok",
    (ns, tx, w) => ns.unlink(tx, ROOT_CALLER, w.shared, n("bobs")),
  ],

  [
    "rmdir of a full directory",
    "ENOTEMPTY",
    (ns, tx, w) => ns.rmdir(tx, ROOT_CALLER, w.dir, n("sub")),
  ],
  ["rmdir of a file", "ENOTDIR", (ns, tx, w) => ns.rmdir(tx, ROOT_CALLER, w.dir, n("file"))],
  ["rmdir of .", "EINVAL", (ns, tx, w) => ns.rmdir(tx, ROOT_CALLER, w.dir, n("."))],
  ["rmdir of ..", "ENOTEMPTY", (ns, tx, w) => ns.rmdir(tx, ROOT_CALLER, w.dir, n(".."))],
  ["rmdir of an empty directory", "ok", (ns, tx) => ns.rmdir(tx, ROOT_CALLER, ROOT, n("open"))],
]);
