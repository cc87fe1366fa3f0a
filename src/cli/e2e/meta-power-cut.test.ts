// The metadata server's machine loses power, here: its process is killed and its journal cut back
// to what was synced. Two mounts live on.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, open, readdir, readFile, rename, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { E2eCluster, HANG_MS } from "../../testing/e2e/e2e-cluster.ts";
import { present } from "../../testing/present.ts";

/** The server flushes by itself half a second after a commit: what took longer isn't lost. */
const MAX_UNSYNCED_MS = 400;
/** A busy machine may need some. */
const ATTEMPTS = 30;
/** Longer than it takes until all is synced. */
const QUIET_MS = 2000;

type Sizes = Map<string, number>;

async function journalSizes(directory: string): Promise<Sizes> {
  const names = (await readdir(directory)).filter((name) => name.startsWith("journal-"));
  const sizes = names.map(async (name): Promise<[string, number]> => {
    return [name, (await stat(join(directory, name))).size];
  });
  return new Map(await Promise.all(sizes));
}

/** Locks the file of its argument or ends with 1; then holds the lock until its input ends. */
const LOCKER = `
import fcntl, sys
file = open(sys.argv[1])
try: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError: sys.exit(1)
print("locked", flush=True)
sys.stdin.read()
`;

/** Holds an exclusive flock until it is told to end. */
async function holdLock(t: ExecutionContext, path: string): Promise<() => Promise<void>> {
  const holder = spawn("python3", ["-c", LOCKER, path]);
  t.teardown(() => holder.kill("SIGKILL"));
  await once(holder.stdout, "data");
  return async () => {
    const ended = once(holder, "close");
    holder.stdin.end();
    await ended;
  };
}

/** The exit code of an attempt to lock: 0, or 1 where somebody else has the lock. */
async function tryLock(path: string): Promise<number> {
  const tried = spawn("python3", ["-c", LOCKER, path]);
  tried.stdin.end();
  const [code] = (await once(tried, "close")) as [number];
  return code;
}

interface Cut {
  readonly directory: string;
  /** Of the file that is open through the second mount. */
  readonly ino: number;
  readonly file: Awaited<ReturnType<typeof open>>;
}

/** Undefined: what was done was on disk before the power could be cut. */
async function changeAndCut(
  t: ExecutionContext,
  cluster: E2eCluster,
  other: string,
  attempt: number,
): Promise<Cut | undefined> {
  const data = join(cluster.directory, "meta", "meta");
  const name = `dir-${attempt}`;
  const old = await open(join(cluster.mnt, `old-${attempt}`), "w");
  await old.writeFile("old");
  await old.sync();
  await old.close();
  const pid = present((await cluster.report()).meta.pid ?? undefined);
  await sleep(QUIET_MS);
  const synced = await journalSizes(data);
  const beganMs = performance.now();
  await mkdir(join(cluster.mnt, name));
  const file = await open(join(other, name, "file"), "w+");
  // Else what fails meanwhile is hidden by the end of the process, at the handle's collection.
  t.teardown(() => file.close().catch(() => undefined));
  await rename(join(cluster.mnt, `old-${attempt}`), join(cluster.mnt, name, "moved"));
  const { ino } = await file.stat();
  process.kill(pid, "SIGKILL");
  const tookMs = performance.now() - beganMs;
  t.log(`the changes took ${Math.round(tookMs)} ms`);
  await cluster.waitUntil("the server to be gone", async () => {
    return (await cluster.report()).meta.state !== "running";
  });
  if (tookMs > MAX_UNSYNCED_MS) {
    await file.close();
    await cluster.start("meta");
    return undefined;
  }
  for (const [journal, sizeBytes] of synced) await truncate(join(data, journal), sizeBytes);
  return { directory: name, ino, file };
}

test.serial("mounts give back what a power cut took from the metadata server", async (t) => {
  t.timeout(HANG_MS);
  const cluster = await E2eCluster.up(t);
  const other = await cluster.mountAgain(t, "other");
  const lock = join(cluster.mnt, "lock");
  await (await open(lock, "w")).close();
  const unlock = await holdLock(t, lock);
  let cut: Cut | undefined;
  for (let attempt = 0; cut === undefined; attempt += 1) {
    if (attempt === ATTEMPTS) throw new Error("the machine is too busy to lose anything");
    cut = await changeAndCut(t, cluster, other, attempt);
  }
  await cluster.start("meta");

  const { directory, ino, file } = cut;
  t.is((await stat(join(cluster.mnt, directory, "file"))).ino, ino);
  t.is(await readFile(join(other, directory, "moved"), "utf8"), "old");
  await file.writeFile("bytes");
  await file.sync();
  await file.close();
  t.is(await readFile(join(cluster.mnt, directory, "file"), "utf8"), "bytes");
  const newer = await open(join(cluster.mnt, "newer"), "w");
  t.not((await newer.stat()).ino, ino);
  await newer.close();

  t.is(await tryLock(join(other, "lock")), 1, "the lock has its holder");
  await unlock();
  t.is(await tryLock(join(other, "lock")), 0);
});
