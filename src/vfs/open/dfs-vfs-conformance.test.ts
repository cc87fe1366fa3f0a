// The promises of Vfs, kept over the metadata server's namespace and a store of blocks in memory.
import test from "ava";
import { testVfs } from "../../testing/vfs/vfs-conformance.ts";
import { testMount, TINY_GEOMETRY } from "../../testing/vfs/vfs-mount.ts";

testVfs(test, "dfs", async () => (await testMount()).vfs);
testVfs(test, "dfs in blocks of 64 bytes", async () => {
  return (await testMount({ geometry: TINY_GEOMETRY })).vfs;
});
