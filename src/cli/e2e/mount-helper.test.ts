// `mount -t dfs`, lines of fstab, umount: through the helper, as root, in a mount namespace of the
// test's own, so that nothing is installed on the machine.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { E2eCluster } from "../../testing/e2e/e2e-cluster.ts";
import { whyNoRootMount } from "../../testing/fuse/fuse-harness.ts";
import { present } from "../../testing/present.ts";

const HELPER = fileURLToPath(new URL("../../../bin/mount.dfs", import.meta.url));
const why = whyNoRootMount();

function rootTest(title: string, body: (t: ExecutionContext) => Promise<void>): void {
  if (why === undefined) test.serial(title, body);
  else test.skip(`${title} (${why})`, body);
}

/** Every script begins with this: the helper where mount(8) looks for it. */
const PROLOGUE = `
  set -euo pipefail
  mount -t tmpfs none "$(readlink -f /sbin)"
  "$HELPER" --install
  shown() { findmnt -n -o "$1" --mountpoint "$M"; }`;

interface Prepared {
  cluster: E2eCluster;
  /**
   * Runs a script, in which $M is a mountpoint, $URL the server, $CRED the login; returns its
   * output.
   */
  sh: (script: string) => Promise<string>;
}

async function setUp(t: ExecutionContext): Promise<Prepared> {
  const cluster = await E2eCluster.up(t, { nodes: 1, mount: false });
  const mountpoint = join(cluster.scratch, "m");
  await mkdir(mountpoint);
  const report = await cluster.report();
  const env = {
    HELPER,
    M: mountpoint,
    URL: present(report.meta.url),
    CRED: join(cluster.directory, "config", "credentials.json"),
    DIR: cluster.scratch,
    XDG_STATE_HOME: join(cluster.scratch, "state"),
    // What isn't told by the options must not be found by chance.
    DFS_CONFIG_DIR: join(cluster.scratch, "no-config"),
  };
  const sh = async (script: string): Promise<string> => {
    const args = ["--mount", "--propagation", "private", "bash", "-c", `${PROLOGUE}\n${script}`];
    const { code, stdout, stderr } = await cluster.run(args, { program: "unshare", env });
    if (code !== 0) t.fail(`exit code ${code ?? -1}: ${stderr}\n${stdout}`);
    return stdout;
  };
  return { cluster, sh };
}

rootTest(
  "mount -t dfs and -t fuse.dfs mount, umount unmounts, and the figures are right",
  async (t) => {
    const { sh } = await setUp(t);
    const output = await sh(`
    mount -t dfs none "$M" -o "meta=$URL,credentials=$CRED"
    echo content >"$M/file"; shown FSTYPE,SOURCE
    stat -f -c '%T %l %S' "$M"
    test "$(stat -f -c %b "$M")" -gt 0; test "$(stat -f -c %c "$M")" -gt 0
    df --output=source,fstype "$M" | tail -n 1
    umount "$M"; test -z "$(ls "$M")"
    mount -t fuse.dfs "$URL" "$M" -o "credentials=$CRED,ro,noatime,allow_other,default_permissions"
    cat "$M/file"; ! touch "$M/no" 2>/dev/null
    test "$(shown SOURCE)" = "$URL"; shown OPTIONS
    umount "$M"`);
    const lines = output.split("\n").map((line) => line.replace(/ +/g, " "));
    t.deepEqual(lines.slice(0, 4), [
      "fuse.dfs none",
      "fuseblk 255 4096",
      "none fuse.dfs",
      "content",
    ]);
    t.regex(present(lines[4]), /^ro,nosuid,nodev,noatime,.*default_permissions,allow_other/);
  },
);

rootTest("a line of fstab mounts once, with the options of others passed over", async (t) => {
  const { sh } = await setUp(t);
  const output = await sh(`
    others=_netdev,nofail,noauto,x-systemd.automount,x-systemd.mount-timeout=10
    echo "$URL $M dfs $others,noexec,credentials=$CRED 0 0" >"$DIR/fstab"
    mount -T "$DIR/fstab" "$M"; shown FSTYPE
    sed -i 's/noauto,//' "$DIR/fstab"; mount -T "$DIR/fstab" -a
    findmnt -n --mountpoint "$M" | wc -l
    cp /bin/true "$M/true"; ! "$M/true" 2>/dev/null && echo "not run"
    umount "$M"; mount -T "$DIR/fstab" -a; shown FSTYPE; umount "$M"`);
  t.is(output, "fuse.dfs\n1\nnot run\nfuse.dfs\n");
});

rootTest(
  "a directory is mounted as the root, and its files belong to the given local user",
  async (t) => {
    const { cluster, sh } = await setUp(t);
    const output = await sh(`
    mount -t dfs none "$M" -o "meta=$URL,credentials=$CRED"
    mkdir -p "$M/home/me/sub"; echo mine >"$M/home/me/file"; echo other >"$M/home/other"
    umount "$M"
    view=subdir=/home/me,uid=1234,gid=77,allow_other
    mount -t dfs none "$M" -o "meta=$URL,credentials=$CRED,$view"
    cd "$M"; ls; stat -c '%i %u %g' .; ls -ai sub | awk '$2 == ".." { print $1 }'
    setpriv --reuid 1234 --regid 77 --clear-groups \\
      sh -c 'echo made >made; stat -c "%u %g" made file'
    cd /; umount "$M"
    mount -t dfs none "$M" -o "meta=$URL,credentials=$CRED"
    stat -c '%u %g' "$M/home/me/made"; umount "$M"`);
    t.is(output, "file\nsub\n1 1234 77\n1\n1234 77\n1234 77\n0 0\n");
    const missing = await cluster.run([
      "mount",
      "-d",
      join(cluster.scratch, "m"),
      "--subdir",
      "home/no",
    ]);
    t.is(missing.code, 3);
    t.regex(missing.stderr, /\/home\/no/);
  },
);

rootTest("what cannot be mounted fails with mount's exit codes and says why", async (t) => {
  const { sh } = await setUp(t);
  const output = await sh(`
    try() { mount -t dfs "$@" 2>"$DIR/said" && exit 9 || echo "$? $(head -n 1 "$DIR/said")"; }
    try none "$M" -o "meta=$URL,credentials=$CRED,nonsense"
    mount -s -t dfs none "$M" -o "meta=$URL,credentials=$CRED,nonsense"; umount "$M"
    try none "$M" -o "meta=$URL"
    try none "$M" -o "meta=$URL,credentials=$DIR/none"
    chmod 644 "$CRED"; try none "$M" -o "meta=$URL,credentials=$CRED"; chmod 600 "$CRED"
    try none "$M" -o "meta=$URL,credentials=$CRED,subdir=no"
    try none "$M/none" -o "meta=$URL,credentials=$CRED"
    "$HELPER" none "$M" -f -o nonsense; "$HELPER" none 2>/dev/null || echo "usage $?"
    ! shown SOURCE`);
  const lines = output.trim().split("\n");
  const expected = [
    /^1 .*nonsense/,
    /^32 .*not logged in/,
    /^32 .*credentials/,
    /^32 .*read by others/,
    /^32 .*\/no/,
    /^32 .*(does not exist|mount point)/,
    /^usage 1$/,
  ];
  t.is(lines.length, expected.length, output);
  for (const [i, pattern] of expected.entries()) t.regex(present(lines[i]), pattern);
});
