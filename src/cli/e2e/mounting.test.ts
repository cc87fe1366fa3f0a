// dfs mount and umount as a person meets them.
import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { E2eCluster } from "../../testing/e2e/e2e-cluster.ts";
import { DEAD_MOUNT_ERRNOS } from "../../testing/fuse/fuse-harness.ts";
import { isFuseMountpoint } from "../process/mountpoint.ts";
import { present } from "../../testing/present.ts";

/** A directory to mount at, unmounted when the test ends. */
async function makeMountpoint(t: ExecutionContext, cluster: E2eCluster): Promise<string> {
  const mountpoint = join(cluster.scratch, "other-mnt");
  await mkdir(mountpoint);
  t.teardown(async () => {
    await cluster.run(["umount", "--lazy", mountpoint]);
  });
  return mountpoint;
}

test.serial("a daemon mount returns when the mount answers, and umount ends it", async (t) => {
  const cluster = await E2eCluster.up(t, { nodes: 1, mount: false });
  const mountpoint = await makeMountpoint(t, cluster);
  const logFile = join(cluster.scratch, "mount.log");
  await cluster.dfs("mount", mountpoint, "-d", "--log-file", logFile);
  await writeFile(join(mountpoint, "hello"), "world");
  t.is(await readFile(join(mountpoint, "hello"), "utf8"), "world");
  await cluster.dfs("umount", mountpoint);
  t.false(await isFuseMountpoint(mountpoint));
  t.is((await cluster.run(["umount", mountpoint])).code, 3);
});

test.serial("a daemon mount that fails says why and exits with the reason's code", async (t) => {
  const cluster = await E2eCluster.up(t, { nodes: 1, mount: false });
  const missing = await cluster.run(["mount", "-d", join(cluster.scratch, "missing")]);
  t.is(missing.code, 3);
  t.regex(missing.stderr, /does not exist/);
  const mountpoint = await makeMountpoint(t, cluster);
  const unknown = await cluster.run(["mount", "-d", mountpoint, "-o", "ro,nonsense"]);
  t.is(unknown.code, 2);
  t.regex(unknown.stderr, /nonsense/);
  await cluster.kill("meta");
  const unreachable = await cluster.run(["mount", "-d", mountpoint]);
  t.is(unreachable.code, 5);
  t.regex(unreachable.stderr, /metadata server/);
  t.false(await isFuseMountpoint(mountpoint));
});

test.serial("a second mount at the same place is refused", async (t) => {
  const cluster = await E2eCluster.up(t, { nodes: 1 });
  const { code, stderr } = await cluster.run(["mount", "-d", cluster.mnt]);
  t.is(code, 1);
  t.regex(stderr, /already has dfs/);
  await writeFile(join(cluster.mnt, "still"), "here");
  t.is(await readFile(join(cluster.mnt, "still"), "utf8"), "here");
});

test.serial("a mount that a crash left behind is cleared by the next one", async (t) => {
  const cluster = await E2eCluster.up(t, { nodes: 1 });
  await writeFile(join(cluster.mnt, "file"), "content");
  await cluster.kill("mount");
  const error = await t.throwsAsync<NodeJS.ErrnoException>(readFile(join(cluster.mnt, "file")));
  t.true(DEAD_MOUNT_ERRNOS.includes(present(error.code)), error.code);
  await cluster.start("mount");
  t.is(await readFile(join(cluster.mnt, "file"), "utf8"), "content");
});

test.serial("umount of a busy mount names who holds it and what to do", async (t) => {
  const cluster = await E2eCluster.up(t, { nodes: 1 });
  const file = await open(join(cluster.mnt, "held"), "w");
  const busy = await cluster.run(["umount", cluster.mnt]);
  t.is(busy.code, 1);
  t.regex(busy.stderr, new RegExp(`\\b${process.pid}\\b`));
  t.regex(busy.stderr, /--lazy/);
  await file.writeFile("written while it was busy");
  await cluster.dfs("umount", "--lazy", cluster.mnt);
  await file.close();
  await cluster.demo("up");
  t.is(await readFile(join(cluster.mnt, "held"), "utf8"), "written while it was busy");
});

test.serial("remount succeeds while a file is held open", async (t) => {
  const cluster = await E2eCluster.up(t, { nodes: 1 });
  const file = await open(join(cluster.mnt, "held"), "w");
  await file.writeFile("content");
  await cluster.demo("remount");
  await file.close().catch(() => undefined);
  await writeFile(join(cluster.mnt, "after"), "the remount");
  t.is(await readFile(join(cluster.mnt, "after"), "utf8"), "the remount");
});

test.serial("SIGTERM flushes and unmounts", async (t) => {
  const cluster = await E2eCluster.up(t, { nodes: 1 });
  await writeFile(join(cluster.mnt, "file"), "content");
  const { mountPid } = await cluster.report();
  process.kill(present(mountPid), "SIGTERM");
  await cluster.waitUntil("the unmount", async () => {
    return (await cluster.report()).mountState === "absent";
  });
  await cluster.demo("up");
  t.is(await readFile(join(cluster.mnt, "file"), "utf8"), "content");
});

test.serial("umount has on disk what was written, or says that it isn't", async (t) => {
  const cluster = await E2eCluster.up(t);
  const { nodes } = await cluster.report();
  await writeFile(join(cluster.mnt, "file"), Buffer.alloc(1e6, 1));
  for (const { pid } of nodes.slice(0, 3)) process.kill(present(pid), "SIGKILL");
  const { code, stderr } = await cluster.run(["umount", cluster.mnt]);
  t.is(code, 1);
  t.regex(stderr, /not all that was written is on disk/);
  t.false(await isFuseMountpoint(cluster.mnt));
});

test.serial("a daemon holds neither its starter's output nor its locks", async (t) => {
  const cluster = await E2eCluster.up(t, { nodes: 1, mount: false });
  const mountpoint = await makeMountpoint(t, cluster);
  const lock = join(cluster.scratch, "lock");
  // Both would hang until the daemon's end if it kept the pipe or the descriptor of the lock.
  const script = `
    out=$(flock '${lock}' "$DFS" mount -d '${mountpoint}' --log-file '${lock}.log') || exit 1
    flock --nonblock '${lock}' echo "free: $out"`;
  const { code, stdout } = await cluster.run(["-c", script], { program: "bash" });
  t.is(code, 0);
  t.regex(stdout, /^free: dfs mounted/);
});

test.serial("a read-only mount reads and refuses to write", async (t) => {
  const cluster = await E2eCluster.up(t, { nodes: 1 });
  await writeFile(join(cluster.mnt, "file"), "content");
  const mountpoint = await makeMountpoint(t, cluster);
  await cluster.dfs(
    "mount",
    "-d",
    "-o",
    "ro",
    mountpoint,
    "--log-file",
    join(cluster.scratch, "l"),
  );
  t.is(await readFile(join(mountpoint, "file"), "utf8"), "content");
  await t.throwsAsync(writeFile(join(mountpoint, "file"), "no"), { code: "EROFS" });
});
