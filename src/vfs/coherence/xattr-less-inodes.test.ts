import test from "ava";
import { ACL_ACCESS, ACL_TAG, encodeAcl } from "../../domain/acl.ts";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { ROOT_INO } from "../../domain/ids.ts";
import { ATTR_CACHE_MS } from "./limits.ts";
import { toName } from "../../domain/name.ts";
import { createFile, testMount } from "../../testing/vfs/vfs-mount.ts";

const NAME = toName("f");
const acl = encodeAcl([
  { tag: ACL_TAG.USER_OBJ, permissions: 6, id: 0 },
  { tag: ACL_TAG.USER, permissions: 4, id: 7 },
  { tag: ACL_TAG.GROUP_OBJ, permissions: 4, id: 0 },
  { tag: ACL_TAG.MASK, permissions: 4, id: 0 },
  { tag: ACL_TAG.OTHER, permissions: 0, id: 0 },
]);

test("a listed file is known to have no xattrs as long as its attributes hold", async (t) => {
  const { vfs, meta, clock } = await testMount();
  vfs.release((await createFile(vfs, "f")).fh);
  const list = async (): Promise<void> => {
    const fh = await vfs.opendir(ROOT_CALLER, ROOT_INO);
    await vfs.readdir(fh, 0, true);
    vfs.releasedir(fh);
  };
  await list();
  const { ino } = await vfs.lookup(ROOT_CALLER, ROOT_INO, NAME);
  const ask = (): Promise<Uint8Array> => vfs.getxattr(ROOT_CALLER, ino, ACL_ACCESS);
  await t.throwsAsync(ask(), { code: "ENODATA" });
  await t.throwsAsync(vfs.getxattr(ROOT_CALLER, ino, "security.selinux"), { code: "ENODATA" });
  t.deepEqual(await vfs.listxattr(ROOT_CALLER, ino), []);
  t.false(meta.counts.has("getxattr") || meta.counts.has("listxattr"));
  await clock.advance(ATTR_CACHE_MS);
  await t.throwsAsync(ask(), { code: "ENODATA" });
  t.is(meta.counts.get("getxattr"), 1);
  await vfs.setxattr(ROOT_CALLER, ino, ACL_ACCESS, acl, 0);
  t.deepEqual(Buffer.from(await ask()), Buffer.from(acl));
  await list();
  t.deepEqual(Buffer.from(await ask()), Buffer.from(acl));
  await vfs.removexattr(ROOT_CALLER, ino, ACL_ACCESS);
  await t.throwsAsync(ask(), { code: "ENODATA" });
  t.is(meta.counts.get("getxattr"), 4);
  t.deepEqual(await vfs.listxattr(ROOT_CALLER, ino), []);
  await list();
  await vfs.setxattr(ROOT_CALLER, ino, "user.a", Buffer.from("1"), 0);
  t.deepEqual(await vfs.listxattr(ROOT_CALLER, ino), ["user.a"]);
});

test("attributes asked for before an own change of xattrs tell nothing of them", async (t) => {
  const { vfs, meta } = await testMount();
  vfs.release((await createFile(vfs, "f")).fh);
  const { ino } = await vfs.lookup(ROOT_CALLER, ROOT_INO, NAME);
  let answer: () => void = () => undefined;
  meta.hooks.set("getattr", async (go) => {
    const result = await go();
    await new Promise<void>((resolve) => (answer = resolve));
    return result;
  });
  const before = vfs.getattr(ROOT_CALLER, ino);
  while (meta.counts.get("getattr") === undefined) await Promise.resolve();
  await vfs.setxattr(ROOT_CALLER, ino, ACL_ACCESS, acl, 0);
  answer();
  await before;
  t.deepEqual(Buffer.from(await vfs.getxattr(ROOT_CALLER, ino, ACL_ACCESS)), Buffer.from(acl));
});
