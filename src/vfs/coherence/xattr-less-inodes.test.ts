import test from "ava";
import { ACL_ACCESS, ACL_DEFAULT, ACL_TAG, encodeAcl } from "../../domain/acl.ts";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { ROOT_INO } from "../../domain/ids.ts";
import { ATTR_CACHE_MS } from "./limits.ts";
import { toName } from "../../domain/name.ts";
import { present } from "../../testing/present.ts";
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
  t.is(meta.counts.get("getxattr"), 3);
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

const minimal = encodeAcl([
  { tag: ACL_TAG.USER_OBJ, permissions: 6, id: 0 },
  { tag: ACL_TAG.GROUP_OBJ, permissions: 4, id: 0 },
  { tag: ACL_TAG.OTHER, permissions: 4, id: 0 },
]);

test("an ACL that says what the mode says costs one request", async (t) => {
  const { vfs, meta } = await testMount();
  const { ino: dir } = await vfs.mkdir(ROOT_CALLER, ROOT_INO, toName("d"), 0o755);
  const files = [await createFile(vfs, "f", 0, dir), await createFile(vfs, "g", 0, dir)];
  meta.counts.clear();
  for (const { fh, attr } of files) {
    const { ino } = attr;
    await vfs.setxattr(ROOT_CALLER, ino, ACL_ACCESS, minimal, 0);
    await t.throwsAsync(vfs.getxattr(ROOT_CALLER, ino, ACL_ACCESS), { code: "ENODATA" });
    t.deepEqual(await vfs.listxattr(ROOT_CALLER, ino), []);
    t.is((await vfs.getattr(ROOT_CALLER, ino)).mode, attr.mode);
    vfs.release(fh);
  }
  t.deepEqual(await vfs.listxattr(ROOT_CALLER, dir), []);
  await t.throwsAsync(vfs.getxattr(ROOT_CALLER, dir, ACL_DEFAULT), { code: "ENODATA" });
  t.deepEqual(Object.fromEntries(meta.counts), { setxattr: 2 });
});

test("an ACL that changes the mode of an open file shows at once, and stays", async (t) => {
  const { vfs, meta } = await testMount();
  const { fh, attr } = await createFile(vfs, "f");
  const mode = async (): Promise<number> => (await vfs.getattr(ROOT_CALLER, attr.ino)).mode & 0o777;
  await vfs.setxattr(ROOT_CALLER, attr.ino, ACL_ACCESS, acl, 0);
  t.is(await mode(), 0o640);
  t.false(meta.counts.has("getattr"));
  await vfs.write(fh, 0, new Uint8Array(10), false);
  let letGo: () => void = () => undefined;
  meta.hooks.set("commit", async (go) => {
    const reply = await go();
    await new Promise<void>((resolve) => (letGo = resolve));
    return reply;
  });
  const flushed = vfs.flush(fh);
  await new Promise(setImmediate);
  await vfs.setxattr(ROOT_CALLER, attr.ino, ACL_ACCESS, minimal, 0);
  t.is(await mode(), 0o644);
  letGo();
  await flushed;
  t.is(await mode(), 0o644, "the commit's reply was older");
});

test("of changes that overlap only what the server says afterwards is believed", async (t) => {
  const { vfs, meta } = await testMount();
  const { attr } = await createFile(vfs, "f");
  const held: (() => void)[] = [];
  meta.hooks.set("setxattr", async (go) => {
    const reply = await go();
    await new Promise<void>((resolve) => held.push(resolve));
    return reply;
  });
  const set = (value: Uint8Array): Promise<void> =>
    vfs.setxattr(ROOT_CALLER, attr.ino, ACL_ACCESS, value, 0);
  const [first, second] = [set(minimal), set(acl)];
  while (held.length < 2) await new Promise(setImmediate);
  present(held[1])();
  await second;
  present(held[0])();
  await first;
  t.deepEqual(Buffer.from(await vfs.getxattr(ROOT_CALLER, attr.ino, ACL_ACCESS)), Buffer.from(acl));
  t.is((await vfs.getattr(ROOT_CALLER, attr.ino)).mode & 0o777, 0o640);
});
