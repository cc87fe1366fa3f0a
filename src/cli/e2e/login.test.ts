// Users, logins and the exit codes that scripts rely on.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { E2eCluster } from "../../testing/e2e/e2e-cluster.ts";
import { runDfs } from "../../testing/e2e/run-dfs.ts";
import { present } from "../../testing/present.ts";

const PASSWORD = "correct horse battery";

test.serial(
  "the first user becomes the admin without a login; after that a login is needed",
  async (t) => {
    const cluster = await E2eCluster.up(t, { nodes: 1, mount: false });
    const env = {
      DFS_CONFIG_DIR: join(cluster.scratch, "other"),
      DFS_META: await metaUrl(cluster),
    };
    const stranger = await runDfs(["user", "add", "eve", "--password-stdin"], {
      env,
      input: PASSWORD,
    });
    t.is(stranger.code, 4);
    t.regex(stranger.stderr, /log ?in/i);
    for (const command of [["whoami"], ["status"], ["ls"], ["user", "ls"], ["mount", "/tmp"]]) {
      const { code, stderr } = await runDfs(command, { env });
      t.is(code, 4, command.join(" "));
      t.regex(stderr, /dfs login/);
    }
  },
);

test.serial("login, whoami and logout work as they say, wrong passwords don't", async (t) => {
  const cluster = await E2eCluster.up(t, { nodes: 1, mount: false });
  const directory = join(cluster.scratch, "alice");
  const env = { DFS_CONFIG_DIR: directory, DFS_META: await metaUrl(cluster) };
  const added = await cluster.run(["user", "add", "alice", "--password-stdin"], {
    input: PASSWORD,
  });
  t.is(added.code, 0, added.stderr);

  const wrong = await runDfs(["login", "alice", "--password-stdin"], {
    env,
    input: "not hers at all",
  });
  t.is(wrong.code, 4);
  t.is((await runDfs(["whoami"], { env })).code, 4);

  const right = await runDfs(["login", "alice", "--password-stdin"], {
    env,
    input: `${PASSWORD}\n`,
  });
  t.is(right.code, 0, right.stderr);
  t.is((await stat(join(directory, "credentials.json"))).mode & 0o777, 0o600);
  t.regex((await runDfs(["whoami"], { env })).stdout, /^alice/);
  t.is((await runDfs(["ls"], { env })).code, 0);

  t.is((await runDfs(["logout"], { env })).code, 0);
  t.is((await runDfs(["whoami"], { env })).code, 4);
});

test.serial("a removed user's login and a changed password's old login are refused", async (t) => {
  const cluster = await E2eCluster.up(t, { nodes: 1, mount: false });
  const env = { DFS_CONFIG_DIR: join(cluster.scratch, "bob"), DFS_META: await metaUrl(cluster) };
  const login = ["login", "bob", "--password-stdin"];
  await cluster.run(["user", "add", "bob", "--password-stdin"], { input: PASSWORD });
  await runDfs(login, { env, input: PASSWORD });
  await cluster.run(["user", "passwd", "bob", "--password-stdin"], { input: "another password" });
  t.is((await runDfs(["whoami"], { env })).code, 4);
  t.is((await runDfs(login, { env, input: PASSWORD })).code, 4);
  t.is((await runDfs(login, { env, input: "another password" })).code, 0);
  await cluster.dfs("user", "rm", "bob");
  t.is((await runDfs(["whoami"], { env })).code, 4);
  t.notRegex(await cluster.dfs("user", "ls"), /bob/);
});

test.serial(
  "usage errors exit with 2, missing things with 3, an absent server with 5",
  async (t) => {
    const cluster = await E2eCluster.up(t, { nodes: 1, mount: false });
    t.is((await cluster.run(["ls", "--no-such-option"])).code, 2);
    t.is((await cluster.run(["no-such-command"])).code, 2);
    t.is((await cluster.run(["ls", "relative/path"])).code, 2);
    t.is((await cluster.run(["ls", "/missing"])).code, 3);
    t.is((await cluster.run(["demo", "kill", "77", "--dir", cluster.directory])).code, 3);
    await cluster.kill("meta");
    const { code, stderr } = await cluster.run(["status"]);
    t.is(code, 5);
    t.is(stderr.trim().split("\n").length, 1, stderr);
  },
);

async function metaUrl(cluster: E2eCluster): Promise<string> {
  return present((await cluster.report()).meta.url);
}
