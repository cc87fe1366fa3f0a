import test from "ava";
import { present } from "../testing/present.ts";
import { ACL_TAG, type Acl } from "./acl.ts";
import { type Caller, S_IFDIR, S_IFLNK, S_IFREG, S_ISGID } from "./attributes.ts";
import { inheritanceOf } from "./inheritance.ts";

const maker: Caller = { uid: 100, gid: 10, umask: 0o022 };
const PLAIN = { mode: S_IFDIR | 0o755, gid: 77 };
const SETGID = { mode: S_IFDIR | S_ISGID | 0o755, gid: 77 };
const LIST: Acl = [
  { tag: ACL_TAG.USER_OBJ, permissions: 7, id: 0 },
  { tag: ACL_TAG.GROUP_OBJ, permissions: 7, id: 0 },
  { tag: ACL_TAG.OTHER, permissions: 5, id: 0 },
];

test("what is made is its maker's, less the umask", (t) => {
  const made = inheritanceOf(maker, PLAIN, undefined, S_IFREG | 0o666);
  t.deepEqual(made, { uid: 100, gid: 10, mode: S_IFREG | 0o644 });
  const unmasked = inheritanceOf({ uid: 100, gid: 10 }, PLAIN, undefined, S_IFREG | 0o666);
  t.is(unmasked.mode, S_IFREG | 0o666);
});

test("a setgid directory hands on its group, and to directories the bit", (t) => {
  const file = inheritanceOf(maker, SETGID, undefined, S_IFREG | 0o644);
  t.deepEqual(file, { uid: 100, gid: 77, mode: S_IFREG | 0o644 });
  const directory = inheritanceOf(maker, SETGID, undefined, S_IFDIR | 0o755);
  t.deepEqual(directory, { uid: 100, gid: 77, mode: S_IFDIR | S_ISGID | 0o755 });
});

test("a stranger to the group makes no setgid program in its directory", (t) => {
  const program = S_IFREG | S_ISGID | 0o755;
  t.is(inheritanceOf(maker, SETGID, undefined, program).mode, S_IFREG | 0o755);
  const member = { ...maker, groups: [77] };
  t.is(inheritanceOf(member, SETGID, undefined, program).mode, program);
  // Without the group's execute bit it marks mandatory locking.
  const marked = S_IFREG | S_ISGID | 0o644;
  t.is(inheritanceOf(maker, SETGID, undefined, marked).mode, marked);
});

test("a default list takes the umask's place; directories hand it on, symlinks have none", (t) => {
  const file = inheritanceOf(maker, PLAIN, LIST, S_IFREG | 0o666);
  t.is(file.mode, S_IFREG | 0o664);
  t.is(file.defaultAcl, undefined);
  t.deepEqual(
    present(file.accessAcl).map(({ permissions }) => permissions),
    [6, 6, 4],
  );
  t.is(inheritanceOf(maker, PLAIN, LIST, S_IFDIR | 0o777).defaultAcl, LIST);
  const link = inheritanceOf(maker, PLAIN, LIST, S_IFLNK | 0o777);
  t.deepEqual(link, { uid: 100, gid: 10, mode: S_IFLNK | 0o777 });
});
