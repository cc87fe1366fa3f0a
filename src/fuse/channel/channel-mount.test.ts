// The channel and the kernel together: what programs see of the in-memory file system through a
// mount.
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, open, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import test, { type ExecutionContext } from "ava";
import { shell, startServer, whyNoFuse, whyNoRootMount } from "../../testing/fuse/fuse-harness.ts";
import type { FuseServerOptions } from "../../testing/fuse/fuse-server.ts";

const NOBODY = 65534;
const why = whyNoFuse();

/** A test with a real mount; skipped, with the reason, where there is no FUSE. */
function mountTest(
  title: string,
  body: (t: ExecutionContext) => Promise<void>,
  needsRoot = false,
): void {
  const reason = needsRoot ? whyNoRootMount() : why;
  if (reason === undefined) test.serial(title, body);
  else test.skip(`${title} (${reason})`, body);
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

async function scratch(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dfs-fuse-src-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** The same promises hold whether the Vfs answers at once or later. */
const MODES: Readonly<Record<string, FuseServerOptions>> = {
  "answering at once": {},
  "answering with promises, in many pieces": { delayMs: 0, keepCache: false, pieceBytes: 1000 },
  "with the write-back cache": { mount: { writeback: true } },
};

for (const [mode, options] of Object.entries(MODES)) {
  mountTest(`${mode}: a tree copied in is the same tree: data, modes, times, links`, async (t) => {
    const server = await startServer(t, options);
    const source = await scratch(t);
    await shell(
      `mkdir -p a/b/c 'with blank'; echo hello >a/f; printf x >a/b/g; ln -s ../f a/b/sym
      ln a/f a/hard; touch -d '1950-01-02 03:04:05.123456789' a/b/g; mkfifo a/fifo
      chmod 6755 a/f; chmod 1777 a/b; head -c 3000000 /dev/urandom >big`,
      source,
    );
    await server.sh(`cp -a '${source}/.' copy; diff -r --no-dereference '${source}/a/b' copy/a/b`);
    const stamp = "%TY-%Tm-%Td %TT %l\\n";
    const list =
      `find . -type d -printf '%P %y %m %n ${stamp}' ` +
      `-o -printf '%P %y %m %n %s ${stamp}' | sort`;
    t.is(await server.sh(`cd copy; ${list}`), (await shell(list, source)).stdout);
    await server.sh(`cmp '${source}/big' copy/big; rm -r copy; test -z "$(ls -A)"`);
  });

  mountTest(`${mode}: large files keep every byte, in big, small and odd writes`, async (t) => {
    const server = await startServer(t, options);
    const source = join(await scratch(t), "random");
    await writeFile(source, randomBytes(24 * 1024 * 1024 + 777));
    await server.sh(`dd if='${source}' of=big bs=1M status=none
      dd if='${source}' of=odd bs=12345 status=none
      dd if='${source}' of=direct bs=1M oflag=direct status=none 2>/dev/null ||
        cp '${source}' direct
      for f in big odd direct; do dd if=$f iflag=nocache count=0 status=none; done`);
    const expected = await sha256(source);
    for (const name of ["big", "odd", "direct"]) {
      t.is(await sha256(join(server.mountpoint, name)), expected, name);
    }
  });

  mountTest(`${mode}: eight writers at once don't disturb each other`, async (t) => {
    const server = await startServer(t, options);
    const size = 256 * 1024;
    const file = await open(join(server.mountpoint, "shared"), "w+");
    await Promise.all(
      Array.from({ length: 8 }, async (_, writer) => {
        const data = Buffer.alloc(size, writer + 1);
        for (let round = 0; round < 8; round++) {
          await file.write(data, 0, size, (round * 8 + writer) * size);
        }
      }),
    );
    const whole = await file.readFile();
    await file.close();
    t.is(whole.length, 64 * size);
    for (let part = 0; part < 64; part++) {
      const expected = Buffer.alloc(size, (part % 8) + 1);
      t.true(whole.subarray(part * size, (part + 1) * size).equals(expected), `part ${part}`);
    }
  });

  mountTest(`${mode}: 10,000 entries are listed each once, and gone after rm`, async (t) => {
    const server = await startServer(t, options);
    await server.sh(`mkdir many; cd many; seq -f 'entry-%05g' 10000 | xargs touch`);
    const names = await readdir(join(server.mountpoint, "many"));
    t.is(names.length, 10_000);
    t.is(new Set(names).size, 10_000);
    t.is((await server.sh("ls -l many | grep -c '^-'")).trim(), "10000");
    await server.sh("rm -r many");
    for (;;) {
      // FORGET and RELEASE come when the kernel gets round to it.
      const counts = await server.command({ type: "counts" });
      if (counts.type !== "counts") return t.fail(counts.type);
      if (counts.lookups === 0 && counts.handles === 0 && counts.inodes === 1) break;
    }
    t.pass();
  });

  mountTest(`${mode}: an unlinked file lives until it is closed`, async (t) => {
    const server = await startServer(t, options);
    const out = await server.sh(`exec 3<>f; echo before >&3; rm f; echo after >&3
      test ! -e f && cat /proc/self/fd/3; stat -L -c %h /proc/self/fd/3`);
    t.is(out, "before\nafter\n0\n");
  });
}

mountTest(
  "times have nanoseconds, reach before 1970, and are set one without the other",
  async (t) => {
    const { sh } = await startServer(t);
    await sh(`touch f; touch -a -d '1969-12-31 23:59:58.999999999 UTC' f
    touch -m -d '2200-01-01 00:00:00.000000001 UTC' f`);
    t.is(await sh("stat -c '%.9X %.9Y' f"), "-1.000000001 7258118400.000000001\n");
    await sh("touch -m -d @5 f");
    t.is(await sh("stat -c '%.9X %.9Y' f"), "-1.000000001 5.000000000\n");
  },
);

mountTest(
  "rename replaces, refuses to replace when told so, and moves between directories",
  async (t) => {
    const { sh } = await startServer(t);
    await sh("mkdir d e; echo 1 >a; echo 2 >b; mv a b; test ! -e a; grep -q 1 b");
    await sh("echo 3 >c; mv -n c b; grep -q 3 c; grep -q 1 b; mv b d/; mv d e/; grep -q 1 e/d/b");
    t.is(await sh("stat -c %h . e"), "3\n3\n");
    t.regex(
      await sh("mkdir full empty; touch full/x; mv -T empty full 2>&1 || true"),
      /Directory not empty/,
    );
  },
);

mountTest("extended attributes are set, listed, read, replaced and removed", async (t) => {
  const { sh } = await startServer(t);
  await sh("touch f; setfattr -n user.one -v 1 f; setfattr -n user.two -v 0s/wA= f");
  t.is(await sh("getfattr -d -e hex f"), "# file: f\nuser.one=0x31\nuser.two=0xff00\n\n");
  await sh("setfattr -n user.one -v other f; setfattr -x user.two f");
  t.is(await sh("getfattr -d f"), '# file: f\nuser.one="other"\n\n');
  t.is(await sh("getfattr -n user.two f 2>&1 || true"), "f: user.two: No such attribute\n");
  await sh("setfattr -n user.big -v $(seq -s x 12000 | head -c 60000) f");
  t.is(await sh("getfattr --only-values -n user.big f | wc -c"), "60000\n");
});

mountTest("holes read as zeroes, truncating cuts and extends, appending appends", async (t) => {
  const { sh } = await startServer(t);
  await sh("printf end | dd of=f bs=1 seek=5000000 status=none; truncate -s 5000002 f");
  t.is(await sh("stat -c %s f; tail -c 4 f | od -An -tx1"), "5000002\n 00 00 65 6e\n");
  await sh("truncate -s 10 f; truncate -s 20 f; printf tail >>f");
  t.is(await sh("tr '\\0' . <f"), "....................tail");
});

mountTest("names are bytes: what isn't UTF-8 stays apart and comes back as it was", async (t) => {
  const { mountpoint, sh } = await startServer(t);
  await sh(`touch $'\\xff' $'\\xfe' $'\\xc3\\xa4' "$(printf 'x%.0s' $(seq 255))"`);
  const names = (await readdir(Buffer.from(mountpoint), { encoding: "buffer" })).map((name) =>
    name.toString("latin1"),
  );
  t.deepEqual(names.sort(), ["x".repeat(255), "Ã¤", "þ", "ÿ"].sort());
  t.is(
    await sh(`touch "$(printf 'x%.0s' $(seq 256))" 2>&1 || true`).then((s) => /too long/.test(s)),
    true,
  );
});

mountTest("df tells capacity, and stat the usual things of the root", async (t) => {
  const { sh } = await startServer(t);
  t.is(
    await sh("df -B1 --output=size,fstype,source . | tail -1 | tr -s ' '"),
    "1099511627776 fuse.dfs dfs\n",
  );
  t.is(await sh("stat -c '%i %F %a %h' ."), "1 directory 755 2\n");
});

mountTest(
  "the caller's identity reaches the Vfs, and the kernel checks permissions",
  async (t) => {
    const { sh } = await startServer(t, { mount: { allowOther: true } });
    await sh("mkdir -m 1777 open; echo secret >s; chmod 600 s");
    await sh("touch open/mine; mkdir open/d", NOBODY);
    t.is(await sh("stat -c '%u %g' open/mine open/d"), "65534 65534\n65534 65534\n");
    t.regex(await sh("cat s 2>&1 || true", NOBODY), /Permission denied/);
    t.regex(await sh("touch refused 2>&1 || true", NOBODY), /Permission denied/);
  },
  true,
);

mountTest(
  "a write, a truncation and a change of owner take set-user-id away",
  async (t) => {
    const { sh } = await startServer(t, { mount: { allowOther: true, attrTimeoutMs: 0 } });
    await sh("chmod 777 .; for f in w t o c; do echo x >$f; chmod 6777 $f; chown 65534 $f; done");
    await sh("for f in w t o; do chmod 6777 $f; done; chmod 6777 c");
    await sh("echo y >>w; truncate -s 0 t; : >o", NOBODY);
    await sh("chown 0 c");
    t.is(await sh("stat -c '%n %a' w t o c"), "w 777\nt 777\no 777\nc 777\n");
  },
  true,
);

mountTest("a read-only mount refuses to write", async (t) => {
  const { sh } = await startServer(t, { mount: { readOnly: true } });
  t.regex(await sh("touch f 2>&1 || true"), /Read-only file system/);
});

mountTest("a hundred writes that wait keep nobody else from being served", async (t) => {
  const server = await startServer(t, { hanging: ["write"] });
  const writers =
    "{ for i in $(seq 100); do dd if=/dev/zero of=f$i bs=1M count=1 2>&1 & done; wait; }";
  const writing = server.sh(`${writers} | grep -oE "'f[0-9]+'" | sort -u | wc -l`);
  for (let files = 0; files < 100;) files = Number(await server.sh("ls | wc -l"));
  for (let round = 0; round < 10; round++) await server.sh("mkdir d; stat .; rmdir d");
  server.child.kill("SIGKILL");
  t.is((await writing).trim(), "100");
});

mountTest("a program's mapped pages reach the file", async (t) => {
  const server = await startServer(t);
  // git maps its index and objects; sort and grep map large inputs.
  await server.sh(`seq 100000 >numbers; sort -rn numbers | head -1 | grep -qx 100000
    cp /bin/true prog; chmod +x prog; ./prog`);
  t.pass();
});
