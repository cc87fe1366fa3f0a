import test from "ava";
import { ROOT_INO } from "../domain/ids.ts";
import { toName } from "../domain/name.ts";
import { find, memoryAccess, pathOf, putText } from "../testing/files/memory-files.ts";
import { ensureDirectory, makeDirectories, makeDirectory } from "./make-directories.ts";

test("one directory is made where its parent is and its name is free", async (t) => {
  const access = memoryAccess();
  await makeDirectory(access, pathOf("/a"), 0o750);
  t.is((await find(access, "/a")).mode & 0o7777, 0o750);
  const there = { code: "EEXIST", message: "/a exists already" };
  await t.throwsAsync(makeDirectory(access, pathOf("/a"), 0o755), there);
  await t.throwsAsync(makeDirectory(access, pathOf("/no/b"), 0o755), { code: "ENOENT" });
  await t.throwsAsync(makeDirectory(access, [], 0o755), { code: "EINVAL" });
});

test("missing parents get a mode of their own, what is there stays as it is", async (t) => {
  const access = memoryAccess();
  await makeDirectories(access, pathOf("/a/b"), 0o700, 0o755);
  await makeDirectories(access, pathOf("/a/b/c"), 0o711, 0o777);
  await makeDirectories(access, pathOf("/a/b/c"), 0o700, 0o700);
  const modes = await Promise.all(
    ["/a", "/a/b", "/a/b/c"].map(async (path) => (await find(access, path)).mode & 0o7777),
  );
  t.deepEqual(modes, [0o755, 0o700, 0o711]);
  await makeDirectories(access, [], 0o755, 0o755);
});

test("a file in the way of directories is an error, a link to a directory is none", async (t) => {
  const access = memoryAccess();
  await putText(access, "/file", "");
  await makeDirectories(access, pathOf("/real"), 0o755, 0o755);
  access.vfs.symlink(access.caller, ROOT_INO, toName("link"), "real");
  await makeDirectories(access, pathOf("/link/new"), 0o755, 0o755);
  await find(access, "/real/new");
  const inTheWay = { code: "EEXIST", message: "/file exists already" };
  await t.throwsAsync(makeDirectories(access, pathOf("/file/b"), 0o755, 0o755), inTheWay);
});

test("a directory that is there is taken as it is, a file of its name isn't", async (t) => {
  const access = memoryAccess();
  const made = await ensureDirectory(access, ROOT_INO, toName("a"), 0o750);
  const found = await ensureDirectory(access, ROOT_INO, toName("a"), 0o700);
  t.is(found.ino, made.ino);
  t.is(found.mode & 0o7777, 0o750);
  await putText(access, "/file", "");
  const taken = ensureDirectory(access, ROOT_INO, toName("file"), 0o755);
  await t.throwsAsync(taken, { code: "EEXIST" });
});
