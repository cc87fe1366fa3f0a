import test from "ava";
import { ROOT_INO } from "../domain/ids.ts";
import { toName } from "../domain/name.ts";
import { find, memoryAccess, pathOf, putText } from "../testing/files/memory-files.ts";
import { makeDirectories } from "./make-directories.ts";
import { PathWalker } from "./path-walker.ts";

async function tree(): Promise<ReturnType<typeof memoryAccess>> {
  const access = memoryAccess();
  await makeDirectories(access, pathOf("/a/b"), 0o755, 0o755);
  await putText(access, "/a/b/file", "text");
  const { vfs, caller } = access;
  const [a, b] = [await find(access, "/a"), await find(access, "/a/b")];
  vfs.symlink(caller, a.ino, toName("relative"), "b/../b/file");
  vfs.symlink(caller, b.ino, toName("absolute"), "/a/relative");
  vfs.symlink(caller, ROOT_INO, toName("loop"), "loop");
  return access;
}

test("links are followed, and .. goes upwards, but never above the root", async (t) => {
  const access = await tree();
  const file = await find(access, "/a/b/file");
  t.is(file.sizeBytes, 4);
  for (const path of ["/a/relative", "/a/b/absolute", "/../a/b/../b/file", "/a/b/../relative"]) {
    t.is((await find(access, path)).ino, file.ino, path);
  }
  t.is((await find(access, "/")).ino, ROOT_INO);
});

test("the last link of a path is followed only if that is wanted", async (t) => {
  const access = await tree();
  const walker = new PathWalker(access);
  t.is((await walker.resolve(pathOf("/a/relative"), false)).sizeBytes, "b/../b/file".length);
  const loop = await walker.resolve(pathOf("/loop"), false);
  t.is(loop.sizeBytes, "loop".length);
});

test("what can't be walked is told with the path", async (t) => {
  const walker = new PathWalker(await tree());
  const missing = { code: "ENOENT", message: "/a/no/file: no such file or directory" };
  await t.throwsAsync(walker.resolve(pathOf("/a/no/file")), missing);
  const through = { code: "ENOTDIR", message: "/a/b/file/x: not a directory" };
  await t.throwsAsync(walker.resolve(pathOf("/a/b/file/x")), through);
  const loop = { code: "ELOOP", message: "/loop: too many symbolic links" };
  await t.throwsAsync(walker.resolve(pathOf("/loop")), loop);
  t.is(await walker.find(pathOf("/a/no")), undefined);
  await t.throwsAsync(walker.find(pathOf("/loop")), { code: "ELOOP" });
});

test("a path's parent is a directory, and the root has none", async (t) => {
  const access = await tree();
  const walker = new PathWalker(access);
  const { parent, name } = await walker.resolveParent(pathOf("/a/new"));
  t.is(parent.ino, (await find(access, "/a")).ino);
  t.is(name, toName("new"));
  await t.throwsAsync(walker.resolveParent(pathOf("/a/b/file/new")), { code: "ENOTDIR" });
  await t.throwsAsync(walker.resolveParent([]), { code: "EINVAL" });
});
