import test from "ava";
import { ownershipAfter, requireChangeable, withoutPrivileges } from "./attribute-rules.ts";
import {
  type AttrChanges,
  type Caller,
  ROOT_CALLER,
  S_IFDIR,
  S_IFIFO,
  S_IFREG,
} from "./attributes.ts";
import { ROOT_INO } from "./ids.ts";
import type { Protected } from "./permission.ts";

const owner: Caller = { uid: 100, gid: 10, groups: [20] };
const writer: Caller = { uid: 101, gid: 10 };
const other: Caller = { uid: 102, gid: 30 };

function file(mode = 0o664, type = S_IFREG): Protected {
  return { ino: ROOT_INO, uid: 100, gid: 10, mode: type | mode };
}

function refusal(
  caller: Caller,
  changes: AttrChanges,
  { inode = file(), handleOpen = false } = {},
): string {
  try {
    requireChangeable(caller, inode, changes, handleOpen);
    return "";
  } catch (error) {
    return (error as { code: string }).code; // An FsError: nothing else is thrown.
  }
}

test("privileges go, but not a directory's and not the mark of mandatory locking", (t) => {
  t.is(withoutPrivileges(S_IFREG | 0o6755), S_IFREG | 0o755);
  t.is(withoutPrivileges(S_IFREG | 0o6745), S_IFREG | 0o2745);
  t.is(withoutPrivileges(S_IFDIR | 0o6755), S_IFDIR | 0o6755);
});

test("chown and others' truncate take privileges, and chmod has the last word", (t) => {
  const program = file(0o6755);
  const mode = (caller: Caller, changes: AttrChanges): number =>
    ownershipAfter(caller, program, changes).mode & 0o7777;
  t.is(mode(ROOT_CALLER, { uid: 5 }), 0o755);
  t.is(mode(owner, { gid: 20 }), 0o755);
  t.is(mode(owner, { sizeBytes: 0 }), 0o755);
  t.is(mode(ROOT_CALLER, { sizeBytes: 0 }), 0o6755);
  t.is(mode(ROOT_CALLER, { killPrivileges: true }), 0o755);
  t.is(mode(ROOT_CALLER, { uid: 5, mode: 0o4755 }), 0o4755);
  t.is(mode(owner, { mtime: "now" }), 0o6755);
  const given = ownershipAfter(ROOT_CALLER, program, { uid: 5, gid: 6 });
  t.deepEqual([given.uid, given.gid], [5, 6]);
});

test("setgid takes membership in the group that the file then has", (t) => {
  const mode = (changes: AttrChanges, caller = owner): number =>
    ownershipAfter(caller, file(), changes).mode & 0o7777;
  t.is(mode({ mode: 0o2755 }), 0o2755);
  t.is(mode({ mode: 0o2755, gid: 20 }), 0o2755);
  t.is(mode({ mode: 0o2755 }, { uid: 100, gid: 99 }), 0o755);
});

test("modes are the owner's, owners are root's, groups those of the owner", (t) => {
  t.is(refusal(owner, { mode: 0o600 }), "");
  t.is(refusal(writer, { mode: 0o600 }), "EPERM");
  t.is(refusal(owner, { uid: 101 }), "EPERM");
  t.is(refusal(owner, { uid: 100, gid: 20 }), "");
  t.is(refusal(owner, { gid: 30 }), "EPERM");
  t.is(refusal(writer, { gid: 10 }), "EPERM");
  t.is(refusal(ROOT_CALLER, { uid: 1, gid: 1, mode: 0 }), "");
});

test("both times to now take the right to write, any other time takes ownership", (t) => {
  const chosen = { sec: 1, nsec: 0 };
  t.is(refusal(writer, { atime: "now", mtime: "now" }), "");
  t.is(refusal(other, { atime: "now", mtime: "now" }), "EACCES");
  t.is(refusal(writer, { mtime: "now" }), "EPERM");
  t.is(refusal(writer, { atime: chosen, mtime: chosen }), "EPERM");
  t.is(refusal(owner, { atime: chosen, mtime: chosen }, { inode: file(0) }), "");
});

test("lengths are changed with the right to write, or a handle that had it", (t) => {
  t.is(refusal(writer, { sizeBytes: 1 }), "");
  t.is(refusal(other, { sizeBytes: 1 }), "EACCES");
  t.is(refusal(other, { sizeBytes: 1 }, { handleOpen: true }), "");
  t.is(refusal(owner, { sizeBytes: 1 }, { inode: file(0o777, S_IFDIR) }), "EISDIR");
  t.is(refusal(owner, { sizeBytes: 1 }, { inode: file(0o777, S_IFIFO) }), "EINVAL");
  t.is(refusal(other, { killPrivileges: true }), "EACCES");
  t.is(refusal(other, { killPrivileges: true }, { handleOpen: true }), "");
});
