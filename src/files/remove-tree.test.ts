import test from "ava";
import { ROOT_INO } from "../domain/ids.ts";
import { toName } from "../domain/name.ts";
import { find, memoryAccess, pathOf, putText, readText } from "../testing/files/memory-files.ts";
import { makeDirectories } from "./make-directories.ts";
import { PathWalker } from "./path-walker.ts";
import { removeTree } from "./remove-tree.ts";

async function tree(): Promise<ReturnType<typeof memoryAccess>> {
  const access = memoryAccess({ pageEntries: 3 });
  await makeDirectories(access, pathOf("/a/b/c"), 0o755, 0o755);
  for (let at = 0; at < 10; at++) await putText(access, `/a/b/file${at}`, "text");
  await putText(access, "/kept", "kept");
  const a = await find(access, "/a");
  access.vfs.symlink(access.caller, a.ino, toName("link"), "/kept");
  return access;
}

test("a tree goes with all below it, and links go without what they point to", async (t) => {
  const access = await tree();
  const attr = await find(access, "/a");
  await removeTree(access, ROOT_INO, { name: toName("a"), attr });
  t.is(await new PathWalker(access).find(pathOf("/a")), undefined);
  t.is(await readText(access, "/kept"), "kept");
  t.is(access.vfs.openHandles, 0);
});

test("removing stops when told to, with what is left in place", async (t) => {
  const access = await tree();
  const attr = await find(access, "/a");
  const reason = new Error("enough");
  const stopped = AbortSignal.abort(reason);
  const told = await t.throwsAsync(
    removeTree(access, ROOT_INO, { name: toName("a"), attr }, stopped),
  );
  t.is(told, reason);
  t.is(await readText(access, "/a/b/file9"), "text");
});
