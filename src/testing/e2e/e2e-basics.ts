// What every driver must do, as bodies that tests run through each of them: scripts of ordinary
// programs in the mount, compared with the same in a local directory.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import type { E2eCluster } from "./e2e-cluster.ts";
import { runDfs } from "./run-dfs.ts";
import { assertAllWhole, drawSeed, MIB, seededFiles, writeAllSeeded } from "./e2e-files.ts";

/** Each runs in an empty directory; what it prints must be the same everywhere. */
const SCRIPTS: Readonly<Record<string, string>> = {
  "copy in and out": `
    seq 500000 | head -c 3000001 >big
    mkdir -p tree/a/b; cp big tree/a/one; echo small >tree/a/b/two; : >tree/empty
    cp -R tree copy; diff -r tree copy; cat copy/a/one copy/a/b/two | sha256sum; find copy | sort
    cp copy/a/one "$OUT"; sha256sum <"$OUT"; rm -r tree; find . -type f | sort`,
  rename: `
    mkdir d e; echo f >d/f; echo g >d/g; mv d/f d/h; cat d/h
    mv d/h d/g; cat d/g; mv d/g e/; cat e/g
    mv e d/; cat d/e/g; mv d x; cat x/e/g; ls -R; ! mv x x/e/y 2>&1 | grep -c 'itself'`,
  unlink: `
    echo a >f; ln f g; rm f; cat g; stat -c %h g; exec 3<g; rm g; cat <&3; exec 3<&-; ls -A
    ! cat g 2>/dev/null; echo b >g; cat g`,
  "mkdir and rmdir": `
    mkdir -m 750 d; stat -c %a d; mkdir -p d/e/f; ! rmdir d 2>/dev/null; rmdir d/e/f d/e; ls d
    ! mkdir d 2>/dev/null; for i in $(seq 100); do mkdir d/$i; done; ls d | sort -n | sha256sum
    rmdir d/*; rmdir d; ls -A`,
  symlink: `
    mkdir d; echo x >d/f; ln -s d/f l; cat l; readlink l; ln -s d m; cat m/f; ln -sfn nowhere m
    ! cat m 2>/dev/null; readlink m; rm l m; cat d/f`,
  truncate: `
    seq 100000 >f; truncate -s 300001 f; stat -c %s f; sha256sum <f
    truncate -s 400000 f; sha256sum <f
    : >f; stat -c %s f; printf abc >>f; printf de >>f; cat f; truncate -s 1 f; cat f
    dd if=/dev/zero of=f bs=1 seek=70000 count=1 conv=notrunc status=none; sha256sum <f`,
  "modes and empty files": `
    touch f; stat -c '%a %s' f; chmod 600 f; stat -c %a f; umask 077; touch g; stat -c %a g
    touch f; test -s f || echo empty`,
};

async function outputOf(script: string, directory: string, out: string): Promise<string> {
  const whole = `cd '${directory}' && OUT='${out}' && umask 022 && { ${script}\n}`;
  const { code, stdout, stderr } = await runDfs(["-c", whole], { program: "bash" });
  return `${stdout}${stderr}exit code ${code ?? -1}`;
}

/** Ordinary programs see in the mount what they see in a local directory. */
export async function assertBasics(t: ExecutionContext, cluster: E2eCluster): Promise<void> {
  for (const [name, script] of Object.entries(SCRIPTS)) {
    const local = join(cluster.scratch, "local", name);
    const mounted = join(cluster.mnt, name);
    await Promise.all([mkdir(local, { recursive: true }), mkdir(mounted)]);
    const out = join(cluster.scratch, "out");
    t.is(await outputOf(script, mounted, out), await outputOf(script, local, out), name);
  }
}

/** Files written are read back, through a fresh mount, with two of six nodes dead. */
export async function assertDegradedReads(t: ExecutionContext, cluster: E2eCluster): Promise<void> {
  const seed = drawSeed(t);
  const files = seededFiles(seed, [0, 1, 20_000, 300_001, 4 * MIB + 1, 9 * MIB]);
  await writeAllSeeded(cluster.mnt, files);
  await assertAllWhole(t, cluster.mnt, files, "with all nodes");
  await cluster.kill(2, 5);
  await cluster.demo("remount");
  await assertAllWhole(t, cluster.mnt, files, "with two nodes dead");
  const more = seededFiles(seed + 100, [5 * MIB], "degraded-");
  await writeAllSeeded(cluster.mnt, more);
  await assertAllWhole(t, cluster.mnt, more, "written with two nodes dead");
}
