import { ROOT_CALLER } from "../../domain/attributes.ts";
import { ROOT_INO as ROOT } from "../../domain/ids.ts";
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from "../../protocol/meta/meta-service.ts";
import { ann, n, testRules } from "../../testing/engine/engine-world.ts";

testRules([
  [
    "rename of a missing name",
    "ENOENT",
    (ns, tx, w) => ns.rename(tx, ROOT_CALLER, w.dir, n("no"), w.dir, n("x"), 0),
  ],
  [
    "rename of a directory below itself",
    "EINVAL",
    (ns, tx, w) => ns.rename(tx, ROOT_CALLER, ROOT, n("dir"), w.sub, n("x"), 0),
  ],
  [
    "rename of a directory into itself",
    "EINVAL",
    (ns, tx, w) => ns.rename(tx, ROOT_CALLER, ROOT, n("dir"), w.dir, n("x"), 0),
  ],
  [
    "rename of a file over a directory",
    "EISDIR",
    (ns, tx, w) => ns.rename(tx, ROOT_CALLER, w.dir, n("file"), ROOT, n("open"), 0),
  ],
  [
    "rename of a directory over a file",
    "ENOTDIR",
    (ns, tx, w) => ns.rename(tx, ROOT_CALLER, ROOT, n("open"), w.dir, n("file"), 0),
  ],
  [
    "rename over a full directory",
    "ENOTEMPTY",
    (ns, tx, w) => ns.rename(tx, ROOT_CALLER, ROOT, n("open"), w.dir, n("sub"), 0),
  ],
  [
    "rename over an empty directory",
    "ok",
    (ns, tx, w) => ns.rename(tx, ROOT_CALLER, w.dir, n("sub"), ROOT, n("open"), 0),
  ],
  [
    "rename of a child over its full parent",
    "ENOTEMPTY",
    (ns, tx, w) => ns.rename(tx, ROOT_CALLER, w.dir, n("sub"), ROOT, n("dir"), 0),
  ],
  [
    "rename onto itself",
    "ok",
    (ns, tx, w) => ns.rename(tx, ROOT_CALLER, w.dir, n("file"), w.dir, n("file"), 0),
  ],
  [
    "rename without replacing, name taken",
    "EEXIST",
    (ns, tx, w) => ns.rename(tx, ROOT_CALLER, w.dir, n("file"), w.dir, n("link"), RENAME_NOREPLACE),
  ],
  [
    "rename without replacing, name free",
    "ok",
    (ns, tx, w) => ns.rename(tx, ROOT_CALLER, w.dir, n("file"), w.dir, n("x"), RENAME_NOREPLACE),
  ],
  [
    "exchange with a missing name",
    "ENOENT",
    (ns, tx, w) => ns.rename(tx, ROOT_CALLER, w.dir, n("file"), w.dir, n("x"), RENAME_EXCHANGE),
  ],
  [
    "exchange of a directory with one of its own",
    "EINVAL",
    (ns, tx, w) => ns.rename(tx, ROOT_CALLER, ROOT, n("dir"), w.sub, n("leaf"), RENAME_EXCHANGE),
  ],
  [
    "exchange of an entry with a directory above it",
    "EINVAL",
    (ns, tx, w) => ns.rename(tx, ROOT_CALLER, w.sub, n("leaf"), ROOT, n("dir"), RENAME_EXCHANGE),
  ],
  [
    "exchange of a file with a directory",
    "ok",
    (ns, tx, w) => ns.rename(tx, ROOT_CALLER, w.dir, n("file"), ROOT, n("open"), RENAME_EXCHANGE),
  ],
  [
    "exchange and no replacing at once",
    "EINVAL",
    (ns, tx, w) =>
      ns.rename(
        tx,
        ROOT_CALLER,
        w.dir,
        n("file"),
        w.dir,
        n("link"),
        RENAME_EXCHANGE | RENAME_NOREPLACE,
      ),
  ],
  [
    "rename with unknown flags",
    "EINVAL",
    (ns, tx, w) => ns.rename(tx, ROOT_CALLER, w.dir, n("file"), w.dir, n("x"), 8),
  ],
  [
    "rename of .",
    "EBUSY",
    (ns, tx, w) => ns.rename(tx, ROOT_CALLER, w.dir, n("."), w.dir, n("x"), 0),
  ],
  [
    "rename out of a directory that may not be written",
    "EACCES",
    (ns, tx, w) => ns.rename(tx, ann, w.dir, n("file"), w.open, n("x"), 0),
  ],
  [
    "rename into a directory that may not be written",
    "EACCES",
    (ns, tx, w) => ns.rename(tx, ann, w.shared, n("anns"), w.dir, n("x"), 0),
  ],
  [
    "rename of another's file out of a sticky directory",
    "EPERM",
    (ns, tx, w) => ns.rename(tx, ann, w.shared, n("bobs"), w.open, n("x"), 0),
  ],
  [
    "rename over another's file in a sticky directory",
    "EPERM",
    (ns, tx, w) => ns.rename(tx, ann, w.shared, n("anns"), w.shared, n("bobs"), 0),
  ],
]);
