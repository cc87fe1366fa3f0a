import test from "ava";
import { ACL_TAG, type Acl } from "./acl.ts";
import { type Caller, ROOT_CALLER, S_IFDIR, S_IFREG, S_ISVTX } from "./attributes.ts";
import { ROOT_INO } from "./ids.ts";
import {
  inGroup,
  MAY_EXECUTE,
  MAY_READ,
  MAY_WRITE,
  mayAccess,
  type Protected,
  requireAccess,
  requireOwner,
  requireUnsticky,
} from "./permission.ts";

const owner: Caller = { uid: 100, gid: 1 };
const member: Caller = { uid: 101, gid: 1, groups: [10] };
const other: Caller = { uid: 102, gid: 1 };

function inode(mode: number, accessAcl?: Acl): Protected {
  return { ino: ROOT_INO, uid: 100, gid: 10, mode, accessAcl };
}

test("each caller has the bits of the first class that fits, and no others", (t) => {
  const file = inode(S_IFREG | 0o426);
  const may = (caller: Caller): boolean[] =>
    [MAY_READ, MAY_WRITE, MAY_EXECUTE].map((wanted) => mayAccess(caller, file, wanted));
  t.deepEqual(may(owner), [true, false, false]);
  t.deepEqual(may(member), [false, true, false]);
  t.deepEqual(may(other), [true, true, false]);
  t.false(mayAccess(owner, file, MAY_READ | MAY_WRITE));
  t.throws(() => requireAccess(member, file, MAY_READ), { code: "EACCES" });
  t.notThrows(() => requireAccess(member, file, MAY_WRITE));
});

test("root may everything but run what nobody may run", (t) => {
  t.true(mayAccess(ROOT_CALLER, inode(S_IFREG), MAY_READ | MAY_WRITE));
  t.false(mayAccess(ROOT_CALLER, inode(S_IFREG), MAY_EXECUTE));
  t.true(mayAccess(ROOT_CALLER, inode(S_IFREG | 0o001), MAY_EXECUTE));
  t.true(mayAccess(ROOT_CALLER, inode(S_IFDIR), MAY_EXECUTE));
});

test("a list is asked before the group's bits, but not for the owner", (t) => {
  const list: Acl = [
    { tag: ACL_TAG.USER_OBJ, permissions: 0, id: 0 },
    { tag: ACL_TAG.USER, permissions: 6, id: 102 },
    { tag: ACL_TAG.GROUP_OBJ, permissions: 4, id: 0 },
    { tag: ACL_TAG.MASK, permissions: 6, id: 0 },
    { tag: ACL_TAG.OTHER, permissions: 0, id: 0 },
  ];
  const file = inode(S_IFREG | 0o060, list);
  t.false(mayAccess(owner, file, MAY_READ));
  t.true(mayAccess(other, file, MAY_READ | MAY_WRITE));
  t.true(mayAccess(member, file, MAY_READ));
  t.false(mayAccess(member, file, MAY_WRITE));
});

test("groups are the primary, the others, and all of them for root", (t) => {
  t.true(inGroup(member, 1));
  t.true(inGroup(member, 10));
  t.false(inGroup(member, 11));
  t.true(inGroup(ROOT_CALLER, 11));
});

test("owners and root alone change what is the owner's to change", (t) => {
  t.notThrows(() => requireOwner(owner, inode(S_IFREG)));
  t.notThrows(() => requireOwner(ROOT_CALLER, inode(S_IFREG)));
  t.throws(() => requireOwner(member, inode(S_IFREG | 0o777)), { code: "EPERM" });
});

test("in a sticky directory an entry is its owner's, the directory's owner's and root's", (t) => {
  const directory = { ...inode(S_IFDIR | S_ISVTX | 0o777), uid: 101 };
  const entry = inode(S_IFREG);
  for (const caller of [owner, member, ROOT_CALLER]) {
    t.notThrows(() => requireUnsticky(caller, directory, entry));
  }
  t.throws(() => requireUnsticky(other, directory, entry), { code: "EPERM" });
  t.notThrows(() => requireUnsticky(other, inode(S_IFDIR | 0o777), entry));
});
