// Addresses are no identities: another cluster's nodes on known ports, and a node's copied
// directory.
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import type { DemoState } from "../demo/demo-state.ts";
import { E2eCluster } from "../../testing/e2e/e2e-cluster.ts";
import {
  assertAllWhole,
  drawSeed,
  MIB,
  seededFiles,
  writeAllSeeded,
} from "../../testing/e2e/e2e-files.ts";
import { EXIT } from "../terminal/exit-codes.ts";
import { present } from "../../testing/present.ts";

/** Jobs that look at what is on the nodes, and delete. */
const LOOKING = ["repair", "survey", "gc"];
const SIZES = [4 * MIB, 4 * MIB, 1_000_000, 40_000];

/** Has the nodes of `cluster`, which is down, answer at `urls` from its next start on. */
async function moveTo(cluster: E2eCluster, urls: readonly string[]): Promise<void> {
  const path = join(cluster.directory, "demo.json");
  // A demo's own file.
  const state = JSON.parse(await readFile(path, "utf8")) as DemoState;
  state.nodes.forEach((node, at) => (node.url = present(urls[at])));
  await writeFile(path, JSON.stringify(state));
}

async function urlsOf(cluster: E2eCluster): Promise<string[]> {
  return (await cluster.report()).nodes.map(({ url }) => present(url ?? undefined));
}

async function shardsOf(cluster: E2eCluster): Promise<number[]> {
  return (await cluster.status()).nodes.map(({ shards }) => shards);
}

test.serial(
  "a metadata server whose nodes' ports another cluster has touches nothing",
  async (t) => {
    const seed = drawSeed(t);
    const old = await E2eCluster.up(t, { mount: false });
    const theirs = join(old.scratch, "theirs");
    const oldFiles = seededFiles(seed, SIZES);
    await writeAllSeeded(theirs, oldFiles);
    const urls = await urlsOf(old);
    await old.dfs("put", "-r", theirs, "/tree");
    // It leaves a survey for its next start: ids of a session that has ended and didn't use them.
    await old.kill("meta");
    await old.demo("down");

    // The first slices have the same ids in every cluster, used by the old one or left.
    const other = await E2eCluster.up(t, { mount: false });
    const ours = join(other.scratch, "ours");
    const files = seededFiles(seed + 1000, [...SIZES, ...SIZES, ...SIZES]);
    await writeAllSeeded(ours, files);
    await other.dfs("put", "-r", ours, "/tree");
    await other.demo("down");
    await moveTo(other, urls);
    await other.demo("up", "--no-mount");
    t.deepEqual(await urlsOf(other), urls);
    // With their first heartbeats, a second after they have registered.
    await other.waitUntil("the nodes to say what they have", async () =>
      (await shardsOf(other)).every((shards) => shards > 0),
    );
    const before = await shardsOf(other);

    await old.start("meta");
    const read = await old.run(["get", `/tree/${present(oldFiles[0]).name}`, "-"]);
    t.not(read.code, EXIT.ok);
    t.is(read.stdout, "");
    // The old cluster's jobs have looked at everything, and found nobody they know.
    await old.waitUntil("repair and gc have passed", async () => {
      const { jobs, nodes } = await old.status();
      const passes = (name: string): number =>
        present(jobs.find((job) => job.name === name)).passes;
      const passed = LOOKING.every((name) => passes(name) >= 2);
      return passed && nodes.every(({ state }) => state === "down");
    });
    t.deepEqual(await shardsOf(other), before);
    const back = join(other.scratch, "back");
    await other.dfs("get", "-r", "/tree", back);
    await assertAllWhole(t, back, files, "after the old cluster's server has run");
  },
);

test.serial("a node's copied directory isn't served beside the original", async (t) => {
  const cluster = await E2eCluster.up(t, { nodes: 3, mount: false });
  const local = join(cluster.scratch, "local");
  const files = seededFiles(drawSeed(t), SIZES);
  await writeAllSeeded(local, files);
  await cluster.dfs("put", "-r", local, "/tree");
  const urls = await urlsOf(cluster);
  const copy = join(cluster.scratch, "copy");
  await cp(join(cluster.directory, "node-1"), copy, { recursive: true });
  const { url } = (await cluster.report()).meta;
  const refused = await cluster.run(["node", "--data", copy, "--meta", present(url ?? undefined)]);
  t.is(refused.code, EXIT.failure);
  t.regex(refused.stderr, /another process serves as node [0-9a-f]{12} at http:\S+/);
  const { nodes } = await cluster.status();
  t.deepEqual(nodes.map((node) => node.url).sort(), urls.sort());
  t.true(nodes.every(({ state }) => state === "up"));
  const back = join(cluster.scratch, "back");
  await cluster.dfs("get", "-r", "/tree", back);
  await assertAllWhole(t, back, files, "beside a refused copy");
});
