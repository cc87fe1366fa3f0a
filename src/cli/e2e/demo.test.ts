// dfs demo: what scripts rely on.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { E2eCluster } from "../../testing/e2e/e2e-cluster.ts";
import { present } from "../../testing/present.ts";

test.serial(
  "status --json tells every process, and kill, pause, resume and start change its state",
  async (t) => {
    const cluster = await E2eCluster.up(t, { nodes: 3 });
    const report = await cluster.report();
    t.is(report.dir, cluster.directory);
    t.is(report.mount, cluster.mnt);
    t.is(report.mountState, "mounted");
    t.regex(present(report.meta.url), /^http:\/\/127\.0\.0\.1:\d+$/);
    t.is(report.nodes.length, 3);
    for (const node of report.nodes) t.is(node.state, "running");

    const stateOfSecond = async (): Promise<string | undefined> =>
      present((await cluster.report()).nodes[1]).state;
    await cluster.kill(2);
    t.is(await stateOfSecond(), "dead");
    await cluster.start(2);
    t.is(await stateOfSecond(), "running");
    // By id as well.
    await cluster.demo("pause", present(present(report.nodes[1]).id));
    t.is(await stateOfSecond(), "paused");
    await cluster.demo("resume", "2");
    t.is(await stateOfSecond(), "running");
    const second = (await cluster.report()).nodes[1];
    t.is(present(second).id, present(present(report.nodes[1]).id));
    t.is(present(second).url, present(present(report.nodes[1]).url));
  },
);

test.serial("up starts what is missing, and leaves the rest alone", async (t) => {
  const cluster = await E2eCluster.up(t, { nodes: 3 });
  const before = await cluster.report();
  await cluster.kill(3, "mount");
  await cluster.demo("up");
  const after = await cluster.report();
  t.is(after.meta.pid, before.meta.pid);
  t.is(present(after.nodes[0]).pid, present(before.nodes[0]).pid);
  t.not(present(after.nodes[2]).pid, present(before.nodes[2]).pid);
  t.is(present(after.nodes[2]).url, present(before.nodes[2]).url);
  t.is(after.mountState, "mounted");
});

test.serial(
  "down and up again keep the data; down works after everything was killed",
  async (t) => {
    const cluster = await E2eCluster.up(t, { nodes: 3 });
    await writeFile(join(cluster.mnt, "file"), Buffer.alloc(100_000, 3));
    await cluster.demo("down");
    t.deepEqual(
      (await cluster.report()).nodes.map(({ state }) => state),
      ["dead", "dead", "dead"],
    );
    await cluster.demo("up");
    t.deepEqual(await readFile(join(cluster.mnt, "file")), Buffer.alloc(100_000, 3));
    await cluster.kill("meta", 1, 2, 3, "mount");
    await cluster.demo("down", "--purge");
    t.deepEqual(await readdir(cluster.scratch), []);
  },
);

test.serial("two clusters on one machine don't touch each other", async (t) => {
  const [one, two] = [await E2eCluster.up(t, { nodes: 1 }), await E2eCluster.up(t, { nodes: 1 })];
  await writeFile(join(one.mnt, "file"), "of the first");
  t.deepEqual(await readdir(two.mnt), []);
  await two.demo("down", "--purge");
  t.is(await readFile(join(one.mnt, "file"), "utf8"), "of the first");
});
