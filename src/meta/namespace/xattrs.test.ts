import test from "ava";
import { ROOT_CALLER, type Caller } from "../../domain/attributes.ts";
import { ROOT_INO, type Ino, type Name } from "../../domain/ids.ts";
import { TestNamespace } from "../../testing/engine/engine-namespace.ts";
import { MemoryEngine } from "../engine/memory-engine.ts";

const ann: Caller = { uid: 100, gid: 10 };
const value: Uint8Array = Buffer.from("value");

async function fresh(): Promise<[TestNamespace, Ino]> {
  const fs = await TestNamespace.on(new MemoryEngine());
  return [fs, (await fs.file("f", { mode: 0o644 })).ino];
}

function set(
  fs: TestNamespace,
  ino: Ino,
  name: string,
  { caller = ROOT_CALLER, bytes = value, flags = 0 } = {},
): Promise<string> {
  return fs.errno((ns, tx) => ns.setxattr(tx, caller, ino, name, bytes, flags));
}

test("values are set, replaced, listed in order and removed", async (t) => {
  const [fs, ino] = await fresh();
  t.is(await set(fs, ino, "user.b"), "ok");
  t.is(await set(fs, ino, "user.a", { bytes: new Uint8Array() }), "ok");
  t.is(await set(fs, ino, "user.b", { bytes: Buffer.from([0, 255]) }), "ok");
  const list = (): Promise<string[]> => fs.see((ns, tx) => ns.listxattr(tx, ROOT_CALLER, ino));
  t.deepEqual(await list(), ["user.a", "user.b"]);
  const got = await fs.see((ns, tx) => ns.getxattr(tx, ROOT_CALLER, ino, "user.b"));
  t.deepEqual([...got], [0, 255]);
  await fs.do((ns, tx) => ns.removexattr(tx, ROOT_CALLER, ino, "user.b"));
  t.deepEqual(await list(), ["user.a"]);
  t.deepEqual(await fs.broken(), []);
});

test("flags and names are checked as Linux checks them", async (t) => {
  const [fs, ino] = await fresh();
  t.is(await set(fs, ino, "user.a", { flags: 2 }), "ENODATA");
  t.is(await set(fs, ino, "user.a", { flags: 1 }), "ok");
  t.is(await set(fs, ino, "user.a", { flags: 1 }), "EEXIST");
  t.is(await set(fs, ino, "user.a", { flags: 2 }), "ok");
  t.is(await set(fs, ino, "user.a", { flags: 4 }), "EINVAL");
  t.is(await set(fs, ino, "user."), "EINVAL");
  t.is(await set(fs, ino, "other.a"), "EOPNOTSUPP");
  t.is(await set(fs, ino, "system.other"), "EOPNOTSUPP");
  t.is(await set(fs, ino, `user.${"x".repeat(250)}`), "ok");
  t.is(await set(fs, ino, `user.${"x".repeat(251)}`), "ERANGE");
  t.is(await set(fs, ino, "user.l", { bytes: new Uint8Array(65_536) }), "ok");
  t.is(await set(fs, ino, "user.l", { bytes: new Uint8Array(65_537) }), "E2BIG");
  t.is(await fs.errno((ns, tx) => ns.removexattr(tx, ROOT_CALLER, ino, "user.no")), "ENODATA");
  t.is(await fs.errno((ns, tx) => ns.getxattr(tx, ROOT_CALLER, ino, "user.no")), "ENODATA");
  t.deepEqual(await fs.broken(), []);
});

test("user. names follow the mode, trusted. and security. are root's to set", async (t) => {
  const [fs, ino] = await fresh();
  t.is(await set(fs, ino, "user.a", { caller: ann }), "EACCES");
  t.is(await set(fs, ino, "trusted.a", { caller: ann }), "EPERM");
  t.is(await set(fs, ino, "security.a", { caller: ann }), "EPERM");
  t.is(await set(fs, ino, "trusted.a"), "ok");
  t.is(await set(fs, ino, "security.a"), "ok");
  t.is(await set(fs, ino, "user.a"), "ok");
  const get = (name: string): Promise<string> =>
    fs.errno((ns, tx) => ns.getxattr(tx, ann, ino, name));
  t.deepEqual(
    [await get("user.a"), await get("security.a"), await get("trusted.a")],
    ["ok", "ok", "ENODATA"],
  );
  t.deepEqual(await fs.see((ns, tx) => ns.listxattr(tx, ann, ino)), ["security.a", "user.a"]);
  await fs.do((ns, tx) => ns.setattr(tx, ROOT_CALLER, ino, { mode: 0o600 }, false));
  t.is(await get("user.a"), "EACCES");
});

test("symlinks carry no user. attributes, and sticky directories only their owner's", async (t) => {
  const [fs] = await fresh();
  const link = await fs.do((ns, tx) =>
    ns.symlink(tx, ROOT_CALLER, ROOT_INO, "l" as Name, "target"),
  );
  t.is(await set(fs, link.ino, "user.a"), "EPERM");
  t.is(await set(fs, link.ino, "trusted.a"), "ok");
  const sticky = await fs.directory("s", { mode: 0o1777 });
  t.is(await set(fs, sticky.ino, "user.a", { caller: ann }), "EPERM");
});

test("names together stay within what listxattr can answer, and go with the inode", async (t) => {
  const [fs, ino] = await fresh();
  const long = "x".repeat(240);
  let outcome = "ok";
  let count = 0;
  for (; outcome === "ok"; count += 1) outcome = await set(fs, ino, `user.${count}${long}`);
  t.is(outcome, "ENOSPC");
  const names = await fs.see((ns, tx) => ns.listxattr(tx, ROOT_CALLER, ino));
  t.is(names.length, count - 1);
  t.true(names.join("\0").length + 1 <= 65_536);
  await fs.do((ns, tx) => ns.unlink(tx, ROOT_CALLER, ROOT_INO, "f" as Name));
  t.true((await fs.reapAll(50)) > 3);
  t.deepEqual(await fs.broken(), []);
  t.is(await fs.errno((ns, tx) => ns.listxattr(tx, ROOT_CALLER, ino)), "ENOENT");
});
