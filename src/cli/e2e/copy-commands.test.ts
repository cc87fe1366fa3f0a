// put, get, ls, rm, mkdir and info, which need no mount.
import { chmod, readFile, stat, symlink, utimes, writeFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { E2eCluster } from "../../testing/e2e/e2e-cluster.ts";
import {
  assertAllWhole,
  drawSeed,
  MIB,
  seededFiles,
  writeAllSeeded,
} from "../../testing/e2e/e2e-files.ts";
import { present } from "../../testing/present.ts";

test.serial(
  "put and get keep bytes, mode and time, through files, directories and pipes",
  async (t) => {
    const cluster = await E2eCluster.up(t, { nodes: 3, mount: false });
    const local = join(cluster.scratch, "local");
    const files = seededFiles(drawSeed(t), [0, 1, 70_000, 4 * MIB + 1, 30 * MIB]);
    await writeAllSeeded(local, files);
    const last = join(local, present(files.at(-1)).name);
    await chmod(last, 0o640);
    await utimes(last, 1_600_000_000, 1_600_000_000);
    await symlink("file-that-is-elsewhere", join(local, "link"));

    await cluster.dfs("put", "-r", local, "/tree");
    const back = join(cluster.scratch, "back");
    await cluster.dfs("get", "-r", "dfs:/tree", back);
    await assertAllWhole(t, back, files, "after put -r and get -r");
    const copied = await stat(join(back, present(files.at(-1)).name));
    t.is(copied.mode & 0o7777, 0o640);
    t.is(copied.mtimeMs, 1_600_000_000_000);
    t.is(await readlink(join(back, "link")), "file-that-is-elsewhere");

    const content = await readFile(last);
    t.is((await cluster.run(["put", "-", "/piped"], { input: content })).code, 0);
    const piped = await cluster.run(["get", "/piped", "-"]);
    t.is(piped.code, 0, piped.stderr);
    t.is(piped.stdout.length, content.length);
    t.true(Buffer.from(piped.stdout, "latin1").equals(content));
  },
);

test.serial("mkdir, ls and rm do what they do elsewhere", async (t) => {
  const cluster = await E2eCluster.up(t, { nodes: 1, mount: false });
  t.is((await cluster.run(["mkdir", "/a/b/c"])).code, 3);
  await cluster.dfs("mkdir", "-p", "/a/b/c");
  await cluster.dfs("mkdir", "-p", "/a/b/c");
  t.is((await cluster.run(["mkdir", "/a"])).code, 1);
  const local = join(cluster.scratch, "hello.txt");
  await writeFile(local, "hello");
  await cluster.dfs("put", local, "/a/b");
  t.is(await cluster.dfs("ls", "/a/b"), "c\nhello.txt\n");
  const listed = JSON.parse(await cluster.dfs("ls", "/a/b", "--json")) as {
    name: string;
    sizeBytes: number;
  }[];
  t.deepEqual(listed.map(({ name, sizeBytes }) => [name, sizeBytes]).at(-1), ["hello.txt", 5]);
  t.is((await cluster.run(["rm", "/a"])).code, 1);
  await cluster.dfs("rm", "-r", "/a");
  t.is(await cluster.dfs("ls"), "");
  t.is((await cluster.run(["rm", "/a"])).code, 3);
  await cluster.dfs("rm", "-f", "/a");
});

test.serial("info shows each shard on a node of its own, and which are missing", async (t) => {
  const cluster = await E2eCluster.up(t, { nodes: 6, mount: false });
  const local = join(cluster.scratch, "file");
  await writeFile(local, Buffer.alloc(5 * MIB, 1));
  await cluster.dfs("put", local, "/file");
  interface Info {
    stripes: { lengthBytes: number; shards: { node: string; state: string; kind: string }[] }[];
  }
  const info = JSON.parse(await cluster.dfs("info", "/file", "--json")) as Info;
  t.deepEqual(
    info.stripes.map(({ lengthBytes }) => lengthBytes).toSorted((a, b) => a - b),
    [MIB, 4 * MIB],
  );
  for (const { shards } of info.stripes) {
    t.is(new Set(shards.map(({ node }) => node)).size, 6);
    t.true(shards.every(({ state }) => state === "present"));
  }
  await cluster.kill(1);
  const degraded = await cluster.run(["info", "/file", "--json"]);
  t.is(degraded.code, 6);
  const states = (JSON.parse(degraded.stdout) as Info).stripes.flatMap(({ shards }) =>
    shards.map(({ state }) => state),
  );
  t.is(states.filter((state) => state === "unreachable").length, 2);
});

test.serial("an interrupted put leaves no file and the old one alone", async (t) => {
  const cluster = await E2eCluster.up(t, { nodes: 1, mount: false });
  const local = join(cluster.scratch, "file");
  await writeFile(local, "the old content");
  await cluster.dfs("put", local, "/file");
  // Opens, has size 0 and fails to be read: the target was begun by then.
  const { code } = await cluster.run(["put", "/proc/self/mem", "/file"]);
  t.not(code, 0);
  t.is((await cluster.run(["get", "/file", "-"])).stdout, "the old content");
  t.is(await cluster.dfs("ls"), "file\n");
});
