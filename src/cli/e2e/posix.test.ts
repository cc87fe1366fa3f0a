// The tables of POSIX cases, in a local directory, which says that the tables are right, and on a
// mount.
import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { E2eCluster, Teardowns, HANG_MS } from "../../testing/e2e/e2e-cluster.ts";
import { ACL_CASES } from "../../testing/posix/cases-acl.ts";
import { ACCESS_CASES, TIMES_CASES, TRUNCATE_CASES } from "../../testing/posix/cases-attributes.ts";
import { CHMOD_CASES, CHOWN_CASES } from "../../testing/posix/cases-chmod.ts";
import { DIRECTORY_CASES } from "../../testing/posix/cases-directory.ts";
import { LINK_CASES, SYMLINK_CASES, UNLINK_CASES } from "../../testing/posix/cases-link.ts";
import { MAKE_CASES, RMDIR_CASES } from "../../testing/posix/cases-make.ts";
import { OPEN_CASES, PERMISSION_CASES } from "../../testing/posix/cases-open.ts";
import { PATH_CASES } from "../../testing/posix/cases-path.ts";
import { READ_ONLY_CASES, READ_ONLY_PREPARATION } from "../../testing/posix/cases-read-only.ts";
import { RENAME_CASES } from "../../testing/posix/cases-rename.ts";
import { XATTR_CASES } from "../../testing/posix/cases-xattr.ts";
import { runPosixCases } from "../../testing/posix/run.ts";
import type { Cases } from "../../testing/posix/language.ts";

const TABLES: Readonly<Record<string, Cases>> = {
  access: ACCESS_CASES,
  acl: ACL_CASES,
  chmod: CHMOD_CASES,
  chown: CHOWN_CASES,
  directory: DIRECTORY_CASES,
  link: LINK_CASES,
  make: MAKE_CASES,
  open: OPEN_CASES,
  path: PATH_CASES,
  permission: PERMISSION_CASES,
  rename: RENAME_CASES,
  rmdir: RMDIR_CASES,
  symlink: SYMLINK_CASES,
  times: TIMES_CASES,
  truncate: TRUNCATE_CASES,
  unlink: UNLINK_CASES,
  xattr: XATTR_CASES,
};

/**
 * What a mount answers otherwise, and the line of SEMANTICS.md that says so. One that passes is a
 * failure.
 */
const DEVIATIONS: Readonly<Record<string, string>> = {
  "rename WHITEOUT leaves a device": "`RENAME_WHITEOUT` is EINVAL.",
  "unlink a removed working directory is empty":
    "A removed directory that is a working directory, but not open, is ESTALE.",
};

const ALL: Cases = Object.fromEntries(
  Object.entries(TABLES).flatMap(([name, cases]) =>
    Object.entries(cases).map(([title, text]) => [`${name} ${title}`, text]),
  ),
);

const run = promisify(execFile);
const teardowns = new Teardowns();
let cluster: E2eCluster | undefined;

test.before(async () => {
  cluster = await E2eCluster.up(teardowns, { nodes: 1, mountOptions: "allow_other" });
});

test.after.always(() => teardowns.run());

/** f_type of ext4 (linux/magic.h), which the cases are written after. */
const EXT4 = 0xef53;

/**
 * A directory on ext4, gone when the test ends: where temporary files are on another, on a loop
 * device.
 */
async function localDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dfs-posix-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  await chmod(directory, 0o755);
  if ((await statfs(directory)).type === EXT4) return directory;
  const image = `${directory}.img`;
  t.teardown(() => rm(image, { force: true }));
  await run("mkfs.ext4", ["-q", "-b", "4096", image, "256M"]);
  await run("mount", ["-o", "loop", image, directory]);
  t.teardown(() => run("umount", [directory]));
  await rm(join(directory, "lost+found"), { recursive: true });
  return directory;
}

function mounted(): E2eCluster {
  if (cluster === undefined) throw new Error("the cluster isn't up");
  return cluster;
}

test.serial("a local file system answers as every POSIX case says", async (t) => {
  t.timeout(HANG_MS);
  const { failures, count, tookMs } = await runPosixCases(await localDirectory(t), ALL);
  t.log(`${count} cases in ${Math.round(tookMs)} ms`);
  t.deepEqual(failures, []);
});

test.serial("a mount answers as every POSIX case says, but for what is a deviation", async (t) => {
  t.timeout(HANG_MS);
  const { failures, count, tookMs } = await runPosixCases(mounted().mnt, ALL);
  t.log(`${count} cases in ${Math.round(tookMs)} ms`);
  const isKnown = (failure: string): boolean =>
    Object.keys(DEVIATIONS).some((title) => failure.startsWith(`${title}: `));
  t.deepEqual(
    failures.filter((failure) => !isKnown(failure)),
    [],
  );
  t.is(failures.filter(isKnown).length, Object.keys(DEVIATIONS).length);
});

test("SEMANTICS.md says each deviation", async (t) => {
  const text = await readFile(new URL("../../../SEMANTICS.md", import.meta.url), "utf8");
  for (const line of Object.values(DEVIATIONS)) t.true(text.includes(line), line);
});

test.serial("a local file system that is read-only answers as the cases say", async (t) => {
  const directory = await localDirectory(t);
  t.deepEqual(
    (await runPosixCases(directory, READ_ONLY_PREPARATION, { fresh: false })).failures,
    [],
  );
  const mount = await localDirectory(t);
  await run("mount", ["--bind", directory, mount]);
  t.teardown(() => run("umount", [mount]));
  await run("mount", ["-o", "remount,bind,ro", mount]);
  t.deepEqual((await runPosixCases(mount, READ_ONLY_CASES, { fresh: false })).failures, []);
});

test.serial("a read-only mount answers as the cases say", async (t) => {
  t.timeout(HANG_MS);
  const { mnt, scratch } = mounted();
  const directory = join(mnt, "read-only");
  await mkdir(directory);
  t.deepEqual(
    (await runPosixCases(directory, READ_ONLY_PREPARATION, { fresh: false })).failures,
    [],
  );
  const mount = join(scratch, "read-only");
  await mkdir(mount);
  const log = join(scratch, "read-only.log");
  await mounted().dfs("mount", "-d", "-o", "ro,allow_other", mount, "--log-file", log);
  t.teardown(() => mounted().dfs("umount", mount));
  const { failures } = await runPosixCases(join(mount, "read-only"), READ_ONLY_CASES, {
    fresh: false,
  });
  t.deepEqual(failures, []);
});
