// What a node's directory says of who it is.
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { makeTempDir } from "../../testing/shard/shard-node.ts";
import { SYSTEM } from "../../testing/system.ts";
import { NodeIdentity } from "./node-identity.ts";

async function directory(t: ExecutionContext): Promise<string> {
  const made = await makeTempDir();
  t.teardown(() => rm(made, { recursive: true }));
  return made;
}

test("a directory has one identity for ever, and a name once it is in a cluster", async (t) => {
  const dataDir = await directory(t);
  const first = await NodeIdentity.open(dataDir, SYSTEM);
  t.is(first.name, undefined);
  await first.keepClusterId("cluster-1");
  const again = await NodeIdentity.open(dataDir, SYSTEM);
  t.deepEqual(again.name, { cluster: "cluster-1", node: first.id });
});

test("the directory of another version is refused, and left as it is", async (t) => {
  const dataDir = await directory(t);
  const path = join(dataDir, "node.json");
  const old = JSON.stringify({ version: 1, id: "00000000000a", clusterId: "cluster-1" });
  await writeFile(path, old);
  await t.throwsAsync(NodeIdentity.open(dataDir, SYSTEM), {
    code: "EIO",
    message: /of version 1, and this dfs knows 2: start this node with an empty data directory/,
  });
  t.is(await readFile(path, "utf8"), old);
});

test("shards without an identity beside them are nobody's: no new one is made", async (t) => {
  for (const folder of ["index", "shards"]) {
    const dataDir = await directory(t);
    await mkdir(join(dataDir, folder));
    const opened = NodeIdentity.open(dataDir, SYSTEM);
    await t.throwsAsync(opened, { code: "EIO", message: /node.json is gone/ });
  }
});
