import test from "ava";
import { ACL_TAG, type Acl } from "./acl.ts";
import { aclAfterChmod, aclAllows, inheritAcl, isMinimal, modeWithAcl } from "./acl-rules.ts";

const NO_ID = 0xffffffff;

function acl(user: number, group: number, other: number, named?: [number, number, number]): Acl {
  const own = (tag: number, permissions: number): Acl[number] => ({ tag, permissions, id: NO_ID });
  if (named === undefined) {
    return [own(ACL_TAG.USER_OBJ, user), own(ACL_TAG.GROUP_OBJ, group), own(ACL_TAG.OTHER, other)];
  }
  const [id, permissions, mask] = named;
  return [
    own(ACL_TAG.USER_OBJ, user),
    own(ACL_TAG.GROUP_OBJ, group),
    { tag: ACL_TAG.GROUP, permissions, id },
    own(ACL_TAG.MASK, mask),
    own(ACL_TAG.OTHER, other),
  ];
}

test("a list without names and mask says no more than a mode", (t) => {
  t.true(isMinimal(acl(6, 4, 0)));
  t.false(isMinimal(acl(6, 4, 0, [10, 4, 4])));
});

test("the mode's group bits are the mask's where there is one", (t) => {
  t.is(modeWithAcl(0o104777, acl(6, 4, 1)), 0o104641);
  t.is(modeWithAcl(0o777, acl(6, 4, 1, [10, 7, 3])), 0o631);
});

test("chmod changes the mask and leaves the group's entry alone where there is a mask", (t) => {
  t.deepEqual(aclAfterChmod(acl(6, 4, 1), 0o750), acl(7, 5, 0));
  t.deepEqual(aclAfterChmod(acl(6, 4, 1, [10, 7, 3]), 0o750), acl(7, 4, 0, [10, 7, 5]));
});

test("an inherited list is cut by the mode that was asked for", (t) => {
  const { mode, access } = inheritAcl(acl(7, 5, 5, [10, 7, 7]), 0o100640);
  t.deepEqual(access, acl(6, 5, 0, [10, 7, 4]));
  t.is(mode, 0o100640);
  t.is(inheritAcl(acl(4, 4, 4), 0o777).mode, 0o444);
});

test("one fitting group entry that grants it all is enough, within the mask", (t) => {
  const inode = { mode: 0o060, gid: 20, accessAcl: acl(0, 4, 7, [10, 6, 2]) };
  t.true(aclAllows(inode, { uid: 5, gid: 10 }, 2));
  t.false(aclAllows(inode, { uid: 5, gid: 10 }, 6));
  t.false(aclAllows(inode, { uid: 5, gid: 20 }, 2));
  t.true(aclAllows(inode, { uid: 5, gid: 20, groups: [10] }, 2));
  t.true(aclAllows(inode, { uid: 5, gid: 30 }, 7));
});

test("without a list, or any bit for the group, there is nothing to ask", (t) => {
  t.is(aclAllows({ mode: 0o777, gid: 1 }, { uid: 5, gid: 1 }, 4), undefined);
  const accessAcl = acl(7, 7, 7, [10, 7, 0]);
  t.is(aclAllows({ mode: 0o707, gid: 1, accessAcl }, { uid: 5, gid: 10 }, 4), undefined);
});
