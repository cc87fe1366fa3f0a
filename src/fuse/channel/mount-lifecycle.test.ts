// How mounts begin, end and fail: unmounting, busy mounts, killed servers, stale mounts,
// invalidations, killed callers, ordinary users.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import {
  DEAD_MOUNT_MESSAGE,
  freshMountpoint,
  shell,
  startServer,
  whyNoFuse,
  type ServerHandle,
} from "../../testing/fuse/fuse-harness.ts";
import { clearStaleMount, isMounted, unmountPath } from "../mounting/stale-mount.ts";
import { present } from "../../testing/present.ts";

const NOBODY = 65534;
const HOUR_MS = 3_600_000;
const why = whyNoFuse();

function mountTest(title: string, body: (t: ExecutionContext) => Promise<void>): void {
  if (why === undefined) test.serial(title, body);
  else test.skip(`${title} (${why})`, body);
}

/** A program that keeps `name` in the mount open until it is killed. */
async function holdOpen(t: ExecutionContext, server: ServerHandle, name: string) {
  const holder = spawn(
    "sh",
    ["-c", `exec 3<'${join(server.mountpoint, name)}'; echo open; exec cat`],
    {
      cwd: "/",
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  t.teardown(() => holder.kill("SIGKILL"));
  await once(holder.stdout, "data");
  return holder;
}

mountTest("an unmount of its own ends the mount and leaves the directory as it was", async (t) => {
  const server = await startServer(t);
  t.true(await isMounted(server.mountpoint));
  t.deepEqual(await server.command({ type: "unmount", lazy: false }), { type: "done" });
  await server.closed;
  t.is(await server.exited, 0);
  t.false(await isMounted(server.mountpoint));
  t.is((await shell("ls -A", server.mountpoint)).stdout, "");
});

mountTest("umount from outside ends the mount too", async (t) => {
  const server = await startServer(t);
  await unmountPath(server.mountpoint, { lazy: false });
  await server.closed;
  t.is(await server.exited, 0);
});

mountTest(
  "a mount in use is not unmounted: EBUSY, with advice; lazily it goes when its last user does",
  async (t) => {
    const server = await startServer(t);
    await server.sh("echo data >f");
    const holder = await holdOpen(t, server, "f");
    const refused = await server.command({ type: "unmount", lazy: false });
    t.is(refused.type, "failed");
    if (refused.type === "failed") {
      t.is(refused.code, "EBUSY");
      t.regex(refused.message, /in use.*fuser -vm.*lazy/);
    }
    t.true(await isMounted(server.mountpoint));
    t.deepEqual(await server.command({ type: "unmount", lazy: true }), { type: "done" });
    t.false(await isMounted(server.mountpoint));
    t.is((await shell(`cat /proc/${present(holder.pid)}/fd/3`, "/")).stdout, "data\n");
    holder.kill("SIGKILL");
    await server.closed;
    t.is(await server.exited, 0);
  },
);

mountTest(
  "after kill -9 of the server the stale mount is found and cleared, and can be mounted anew",
  async (t) => {
    const server = await startServer(t, { mount: { attrTimeoutMs: HOUR_MS } });
    await server.sh("echo x >f; ls -l f");
    server.child.kill("SIGKILL");
    t.is(await server.exited, "SIGKILL");
    t.true(await isMounted(server.mountpoint));
    t.regex((await shell("cat f", server.mountpoint)).stderr, DEAD_MOUNT_MESSAGE);
    t.is(await clearStaleMount(server.mountpoint), "cleared");
    t.is(await clearStaleMount(server.mountpoint), "none");
    const again = await startServer(t, {}, { mountpoint: server.mountpoint });
    again.child.kill("SIGKILL");
    await again.exited;
    const third = await startServer(t, {}, { mountpoint: server.mountpoint });
    await third.sh("echo alive >f");
  },
);

mountTest("a live mount is never cleared away", async (t) => {
  const server = await startServer(t);
  await t.throwsAsync(clearStaleMount(server.mountpoint), {
    code: "EBUSY",
    message: /already has dfs/,
  });
  await t.throwsAsync(startServer(t, {}, { mountpoint: server.mountpoint }), { code: "EBUSY" });
  await server.sh("echo still >here");
});

test("a mountpoint that is missing or no directory is told so", async (t) => {
  const directory = await freshMountpoint(t);
  const file = join(directory, "file");
  await writeFile(file, "");
  await t.throwsAsync(clearStaleMount(file), { code: "ENOTDIR", message: /not a directory/ });
  await t.throwsAsync(clearStaleMount(join(directory, "no")), {
    code: "ENOENT",
    message: /does not exist/,
  });
  await t.throwsAsync(unmountPath(directory, { lazy: false }), {
    code: "EINVAL",
    message: /nothing is mounted/,
  });
});

mountTest("a mount over a path with blanks, symlinks and files in it works", async (t) => {
  const directory = await freshMountpoint(t);
  const target = join(directory, "a b\\c");
  await mkdir(target);
  await writeFile(join(target, "below"), "");
  execFileSync("ln", ["-s", target, join(directory, "link")]);
  const server = await startServer(t, {}, { mountpoint: join(directory, "link") });
  t.true(await isMounted(target));
  t.is((await shell("ls -A", target)).stdout, "");
  await server.command({ type: "unmount", lazy: false });
  t.is((await shell("ls -A", target)).stdout, "below\n");
});

mountTest("a process that exits with its mount in use leaves quietly", async (t) => {
  const server = await startServer(t);
  await server.sh("echo x >f");
  await holdOpen(t, server, "f");
  await server.command({ type: "invalidateInode", ino: 1 });
  server.child.send({ type: "exit" });
  t.is(await server.exited, 0);
  t.is(await clearStaleMount(server.mountpoint), "cleared");
});

mountTest(
  "an invalidation makes the kernel ask again for attributes, data and names",
  async (t) => {
    const server = await startServer(t, {
      mount: { attrTimeoutMs: HOUR_MS, entryTimeoutMs: HOUR_MS },
    });
    const file = join(server.mountpoint, "f");
    await writeFile(file, "old");
    const ino = Number(await server.sh("stat -c %i f"));
    // An open handle, since every open makes the kernel ask for attributes.
    await using handle = await open(file, "r");
    const read = async (): Promise<string> => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(8), 0, 8, 0);
      return buffer.toString("latin1", 0, bytesRead);
    };
    t.is(await read(), "old");
    // A read made the kernel forget the time of access; after this it knows all attributes again.
    await server.sh("stat f");
    await server.command({ type: "touchContent", ino, text: "new!" });
    t.is(await read(), "old");
    await server.command({ type: "invalidateInode", ino });
    while ((await read()) !== "new!") await new Promise(setImmediate);
    const lookups = async (): Promise<number> => {
      await server.sh("stat f");
      const counts = await server.command({ type: "counts" });
      return counts.type === "counts" ? counts.lookups : 0;
    };
    const known = await lookups();
    t.is(await lookups(), known, "the name is believed");
    await server.command({ type: "invalidateEntry", parent: 1, name: "f" });
    while ((await lookups()) === known) await new Promise(setImmediate);
  },
);

mountTest("invalidations amid reads, writes and creations block nobody", async (t) => {
  const server = await startServer(t, { delayMs: 1, mount: { attrTimeoutMs: 0 } });
  await server.sh("seq 100000 >f");
  const ino = Number(await server.sh("stat -c %i f"));
  const load = server.sh(`for i in 1 2 3 4 5 6 7 8; do (
      for j in 1 2 3 4 5; do cat f >/dev/null; seq 20000 >f$i; cat f$i >/dev/null; rm f$i; done
    ) & done; wait`);
  let busy = true;
  const done = load.finally(() => (busy = false));
  const isBusy = (): boolean => busy;
  while (isBusy()) {
    await server.command({ type: "invalidateInode", ino });
    await server.command({ type: "invalidateEntry", parent: 1, name: "f" });
    await server.command({ type: "invalidateEntry", parent: 1, name: "f3" });
  }
  await done;
  t.is(await server.sh("tail -1 f"), "100000\n");
});

mountTest("a program that waits for an answer that never comes can still be killed", async (t) => {
  const server = await startServer(t, { hanging: ["read", "mkdir"] });
  await server.sh("truncate -s 4096 f");
  for (const command of ["exec cat f", "exec mkdir d"]) {
    const victim = spawn("sh", ["-c", `cd '${server.mountpoint}'; echo go; ${command}`], {
      cwd: "/",
      stdio: ["ignore", "pipe", "ignore"],
    });
    await once(victim.stdout, "data");
    const exited = once(victim, "exit");
    // It has to be in the call: the state in /proc tells.
    for (let state = ""; !/^State:\s[DS]/m.test(state);) {
      state = await readFile(`/proc/${present(victim.pid)}/status`, "latin1");
    }
    victim.kill("SIGKILL");
    t.is((await exited)[1], "SIGKILL");
  }
  await server.sh("echo others are served >g");
});

mountTest("a signal that doesn't kill doesn't fail a read either", async (t) => {
  const server = await startServer(t, { delayMs: 20 });
  await server.sh("seq 50000 >f");
  // Stopping and going on interrupts the wait for each answer.
  const out = await server.sh(`dd if=f of=/dev/null bs=4096 iflag=direct 2>/dev/null & pid=$!
    while kill -STOP $pid 2>/dev/null && kill -CONT $pid; do :; done; wait $pid; echo "exit $?"`);
  t.is(out, "exit 0\n");
});

function whyNoUserMount(): string | undefined {
  if (why !== undefined) return why;
  if (process.geteuid?.() !== 0) return undefined;
  try {
    execFileSync("setpriv", [
      "--reuid=65534",
      "--regid=65534",
      "--clear-groups",
      "test",
      "-w",
      "/dev/fuse",
    ]);
    execFileSync("fusermount3", ["--version"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "needs /dev/fuse of mode 0666 and fusermount3";
  }
}

const whyNot = whyNoUserMount();
const userTest = whyNot === undefined ? test : test.skip;
const because = whyNot === undefined ? "" : ` (${whyNot})`;

userTest(
  `an ordinary user mounts, clears a stale mount and unmounts through fusermount3${because}`,
  async (t) => {
    const mountpoint = await freshMountpoint(t);
    if (process.geteuid?.() === 0) execFileSync("chown", ["65534:65534", mountpoint]);
    const uid = process.geteuid?.() === 0 ? NOBODY : undefined;
    const options = { mountpoint, ...(uid === undefined ? {} : { uid }) };
    const server = await startServer(t, {}, options);
    const asUser = (script: string) => shell(script, mountpoint, uid);
    t.is((await asUser("echo mine >f; cat f")).stdout, "mine\n");
    server.child.kill("SIGKILL");
    await server.exited;
    const again = await startServer(t, {}, options);
    t.is((await asUser("ls -A")).stdout, "");
    t.deepEqual(await again.command({ type: "unmount", lazy: false }), { type: "done" });
    t.is(await again.exited, 0);
    const refused = startServer(t, { mount: { allowOther: true } }, options);
    await t.throwsAsync(refused, { code: "EPERM", message: /user_allow_other/ });
  },
);
