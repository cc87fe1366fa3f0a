import test from "ava";
import { ACL_ACCESS, ACL_TAG, encodeAcl } from "../../domain/acl.ts";
import { S_IFREG, type Caller } from "../../domain/attributes.ts";
import { ROOT_INO, type Ino, type Name } from "../../domain/ids.ts";
import { MemoryVfs } from "../../testing/fuse/fuse-memory-vfs.ts";
import { present } from "../../testing/present.ts";
import { mapIds } from "./id-mapping-vfs.ts";

const FILE = S_IFREG | 0o644;
const name = (text: string): Name => text as Name;
const local = { uid: 1000, gid: 100, groups: [100, 27] };

function setUp() {
  const memory = new MemoryVfs();
  const vfs = mapIds(memory, { cluster: 7, local: 1000 }, { cluster: 8, local: 100 });
  return { memory, vfs };
}

test("the cluster user's files are shown as the local user's, made as the cluster's", async (t) => {
  const { memory, vfs } = setUp();
  const made = await vfs.mknod(local, ROOT_INO, name("f"), FILE, 0);
  t.like(made, { uid: 1000, gid: 100 });
  t.like(memory.getattr(local, made.ino), { uid: 7, gid: 8 });
  const fh = await vfs.opendir(local, ROOT_INO);
  const entry = (await vfs.readdir(fh, 0, true)).find((candidate) => candidate.name === "f");
  t.like(present(entry).attr, { uid: 1000, gid: 100 });
});

test("chown gives to the local user what belongs to the cluster's", async (t) => {
  const { memory, vfs } = setUp();
  const { ino } = memory.mknod({ uid: 5, gid: 5 }, ROOT_INO, name("f"), FILE, 0);
  t.like(await vfs.setattr(local, ino, { uid: 1000, gid: 100 }), { uid: 1000, gid: 100 });
  t.like(memory.getattr(local, ino), { uid: 7, gid: 8 });
  t.like(await vfs.setattr(local, ino, { uid: 5 }), { uid: 5, gid: 100 });
});

test("others stay who they are; the cluster's bearer of the local number is nobody", async (t) => {
  const { memory, vfs } = setUp();
  const other = memory.mknod({ uid: 0, gid: 5 }, ROOT_INO, name("other"), FILE, 0);
  t.like(await vfs.getattr(local, other.ino), { uid: 0, gid: 5 });
  const namesake = memory.mknod({ uid: 1000, gid: 100 }, ROOT_INO, name("namesake"), FILE, 0);
  t.like(await vfs.getattr(local, namesake.ino), { uid: 65_534, gid: 65_534 });
});

test("callers act with their cluster ids", async (t) => {
  const { memory } = setUp();
  const callers: unknown[] = [];
  const spy = new Proxy(memory, {
    get(target, property) {
      if (property !== "lookup") return Reflect.get(target, property) as unknown;
      return (...args: unknown[]) => callers.push(args[0]);
    },
  });
  const vfs = mapIds(spy, { cluster: 7, local: 1000 }, { cluster: 8, local: 100 });
  await vfs.lookup(local, ROOT_INO, name("f"));
  await vfs.lookup({ uid: 0, gid: 0 }, ROOT_INO, name("f"));
  t.deepEqual(callers, [
    { uid: 7, gid: 8, groups: [8, 27] },
    { uid: 0, gid: 0 },
  ]);
});

test("ACLs name cluster ids there and local ids here", async (t) => {
  const kept = new Map<string, Uint8Array>();
  const memory = Object.assign(new MemoryVfs(), {
    setxattr: (_caller: Caller, _ino: Ino, key: string, value: Uint8Array) => kept.set(key, value),
    getxattr: (_caller: Caller, _ino: Ino, key: string) => kept.get(key),
  });
  const vfs = mapIds(memory, { cluster: 7, local: 1000 }, { cluster: 8, local: 100 });
  const acl = (user: number, group: number): Uint8Array =>
    encodeAcl([
      { tag: ACL_TAG.USER_OBJ, permissions: 7, id: 0xffffffff },
      { tag: ACL_TAG.USER, permissions: 5, id: user },
      { tag: ACL_TAG.GROUP_OBJ, permissions: 5, id: 0xffffffff },
      { tag: ACL_TAG.GROUP, permissions: 4, id: group },
      { tag: ACL_TAG.MASK, permissions: 7, id: 0xffffffff },
      { tag: ACL_TAG.OTHER, permissions: 0, id: 0xffffffff },
    ]);
  await vfs.setxattr(local, ROOT_INO, ACL_ACCESS, acl(1000, 100), 0);
  t.deepEqual(kept.get(ACL_ACCESS), acl(7, 8));
  t.deepEqual(await vfs.getxattr(local, ROOT_INO, ACL_ACCESS), acl(1000, 100));
  await vfs.setxattr(local, ROOT_INO, "user.a", acl(1000, 100), 0);
  t.deepEqual(kept.get("user.a"), acl(1000, 100));
});
