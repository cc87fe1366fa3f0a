// Full disks: of the metadata server and of the storage nodes. What is there is read and can be
// deleted, and room that is made is used again.
import { cp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { E2eCluster, HANG_MS } from "../../testing/e2e/e2e-cluster.ts";
import { whyNoRootMount } from "../../testing/fuse/fuse-harness.ts";
import { present } from "../../testing/present.ts";

const why = whyNoRootMount();
const rootTest = why === undefined ? test : test.skip;
const title = (promise: string): string => `${promise}${why === undefined ? "" : ` (${why})`}`;

/** Puts what lies in `directory` on a disk of its own of `sizeMib`; nothing may have it open. */
async function giveOwnDisk(
  t: ExecutionContext,
  cluster: E2eCluster,
  directory: string,
  sizeMib: number,
): Promise<void> {
  const aside = join(cluster.scratch, "aside");
  await cp(directory, aside, { recursive: true });
  const args = ["-t", "tmpfs", "-o", `size=${sizeMib}m,mode=700`, "none", directory];
  t.is((await cluster.run(args, { program: "mount" })).code, 0);
  t.teardown(() => cluster.run(["-l", directory], { program: "umount" }));
  await cp(aside, directory, { recursive: true });
  await rm(aside, { recursive: true });
}

/**
 * Makes files with large attributes, which the metadata server keeps, until none is taken for a
 * second: a checkpoint makes some room yet.
 */
const FILL = `
import errno, os, sys, time
os.makedirs(sys.argv[1], exist_ok=True)
refusals = number = 0
while refusals < 10:
  try:
    path = f"{sys.argv[1]}/{number}"
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    os.setxattr(path, "user.large", os.urandom(60000))
    refusals = 0
    number += 1
  except OSError as error:
    reason = errno.errorcode[error.errno]
    refusals += 1
    time.sleep(0.1)
print(reason)
`;

rootTest(
  title("with its disk full the metadata server reads and deletes, and goes on"),
  async (t) => {
    t.timeout(HANG_MS);
    const cluster = await E2eCluster.up(t, { nodes: 1 });
    await cluster.kill("meta");
    const metadata = join(cluster.directory, "meta");
    await giveOwnDisk(t, cluster, metadata, 64);
    await cluster.start("meta");
    const filled = join(cluster.mnt, "filled");
    const run = async (script: string, program = "bash"): Promise<string> => {
      const { stdout, stderr } = await cluster.run(["-c", script, filled], { program });
      return `${stdout}${stderr}`.trim();
    };
    t.is(await run(FILL, "python3"), "ENOSPC");
    t.regex(await run(`echo text >'${filled}/new'`), /No space left on device/);
    t.true(
      (await cluster.status()).problems.some(({ what }) => /server's disk is full/.test(what)),
    );
    const there = Number(await run(`ls '${filled}' | wc -l`));
    t.true(there > 100);
    const attribute = `getfattr --absolute-names --only-values -n user.large '${filled}/0'`;
    t.is(await run(`${attribute} | wc -c`), "60000");
    t.is(await run(`rm -r '${filled}' && echo gone`), "gone");
    await cluster.waitUntil("room for new files", async () => {
      return (
        (await run(`mkdir -p '${filled}' && echo text >'${filled}/new' && cat '${filled}/new'`)) ===
        "text"
      );
    });

    // Others take all that is left: nothing acknowledged is lost, and a restart finds it.
    await run(`cp /usr/bin/env '${cluster.mnt}/kept'; sync '${cluster.mnt}/kept'`);
    await run(`cat /dev/zero >'${metadata}/others'`);
    await cluster.waitUntil("a new file to be refused", async () => {
      return (await run(`mkdir '${filled}'/$RANDOM`)).includes("No space left on device");
    });
    // More than what is left of the journal's last page.
    const chmods = `for mode in 600 644; do chmod $mode '${filled}/new' 2>/dev/null; done`;
    const removed = run(`for i in {1..200}; do ${chmods}; done; rm '${filled}/new' && echo gone`);
    await cluster.waitUntil("changes to wait for space", async () => {
      const log = await readFile(join(cluster.directory, "logs", "meta.log"), "utf8");
      return log.includes("changes wait for space");
    });
    // It stops even so; whoever waits is told EIO.
    const { pid } = (await cluster.report()).meta;
    process.kill(present(pid), "SIGTERM");
    await cluster.waitUntil("the server to stop", async () => {
      return (await cluster.report()).meta.pid === null;
    });
    const { code, stderr } = await cluster.run(["meta", "--data", metadata, "--port", "0"]);
    t.is(code, 1);
    t.regex(
      stderr,
      /the metadata database can't be opened: .* bytes left .*; make room .* start again/,
    );
    await rm(join(metadata, "others"));
    await cluster.start("meta");
    t.is(await removed, "gone");
    await cluster.kill("meta");
    await cluster.start("meta");
    // How many directories were made before the first one was refused is a matter of luck.
    await run(`find '${filled}' -mindepth 1 -type d -delete`);
    t.is(await run(`ls '${filled}'; cmp /usr/bin/env '${cluster.mnt}/kept' && echo same`), "same");
  },
);

rootTest(
  title("with the nodes' disks full a file is refused, the others stay, deleting makes room"),
  async (t) => {
    t.timeout(HANG_MS);
    const cluster = await E2eCluster.up(t, { nodes: 1, mount: false });
    await cluster.kill(1);
    const [node] = (await cluster.report()).nodes;
    if (node === undefined) throw new Error("no node");
    await giveOwnDisk(t, cluster, node.data, 160);
    await cluster.start(1);
    await cluster.waitForUpNodes(1);
    const mountpoint = await cluster.mountAgain(t, "m");
    const run = async (script: string): Promise<string> => {
      const { stdout, stderr } = await cluster.run(["-c", script], { program: "bash" });
      return `${stdout}${stderr}`.trim();
    };
    const source = join(cluster.scratch, "source");
    await run(`head -c 8M /dev/urandom >'${source}'; cp '${source}' '${mountpoint}/kept'`);
    t.regex(await run(`head -c 400M /dev/zero >'${mountpoint}/large'`), /No space left on device/);
    t.is(await run(`cmp '${source}' '${mountpoint}/kept' && echo same`), "same");
    await cluster.waitUntil("the node to be called full", async () => {
      return (await cluster.status()).problems.some(({ what }) => /\d+% full/.test(what));
    });
    t.is(await run(`rm '${mountpoint}/large' && echo gone`), "gone");
    await cluster.waitUntil("room for a file", async () => {
      return (
        (await run(`cp '${cluster.scratch}/source' '${mountpoint}/second' && echo copied`)) ===
        "copied"
      );
    });
    t.deepEqual(
      await readFile(join(mountpoint, "second")),
      await readFile(join(cluster.scratch, "source")),
    );
  },
);
