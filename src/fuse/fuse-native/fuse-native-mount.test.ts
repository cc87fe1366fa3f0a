// fuse-native and the kernel together over the in-memory file system: what programs see, and that
// nothing wrong is done where the package can't do what is asked.
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import {
  shell,
  startServer,
  whyNoFuseNative,
  type ServerHandle,
} from "../../testing/fuse/fuse-harness.ts";
import type { FuseServerOptions } from "../../testing/fuse/fuse-server.ts";
import { isMounted, unmountPath } from "../mounting/stale-mount.ts";

const why = whyNoFuseNative();

function mountTest(title: string, body: (t: ExecutionContext) => Promise<void>): void {
  if (why === undefined) test.serial(title, body);
  else test.skip(`${title} (${why})`, body);
}

function start(t: ExecutionContext, options: FuseServerOptions = {}): Promise<ServerHandle> {
  return startServer(t, { ...options, driver: "fuse-native" });
}

async function scratch(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dfs-native-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

const MODES: Readonly<Record<string, FuseServerOptions>> = {
  "answering at once": {},
  "answering with promises, in many pieces": { delayMs: 0, pieceBytes: 1000, pageEntries: 3 },
};

for (const [mode, options] of Object.entries(MODES)) {
  mountTest(`${mode}: a tree copied in is the same tree: data, modes, links`, async (t) => {
    const server = await start(t, options);
    const source = await scratch(t);
    await shell(
      `mkdir -p a/b/c 'with blank'; echo hello >a/f; printf x >a/b/g; ln -s ../f a/b/sym
      ln a/f a/hard; mkfifo a/fifo; chmod 755 a/f; chmod 1777 a/b
      head -c 3000000 /dev/urandom >big`,
      source,
    );
    await server.sh(`cp -dR --preserve=mode,links '${source}/.' copy`);
    await server.sh(
      `diff -r --no-dereference '${source}/a/b' copy/a/b; cmp '${source}/big' copy/big`,
    );
    const list = `find . -type d -printf '%P %y %m %l\\n' -o -printf '%P %y %m %n %s %l\\n' | sort`;
    t.is(await server.sh(`cd copy; ${list}`), (await shell(list, source)).stdout);
    await server.sh(`test copy/a/f -ef copy/a/hard; rm -r copy; test -z "$(ls -A)"`);
  });

  mountTest(
    `${mode}: writing, truncating, appending and renaming give the right bytes`,
    async (t) => {
      const server = await start(t, options);
      const directory = await scratch(t);
      await writeFile(join(directory, "data"), randomBytes(700_001));
      const script = `
      cp '${directory}/data' f; cp f g; truncate -s 300001 g; printf tail >>g; truncate -s 400000 g
      dd if=f of=g bs=1000 skip=10 seek=20 count=77 conv=notrunc status=none
      mkdir d; mv g d/h; mv d e; mv f e/h2; exec 3<>e/h2; printf abc >&3; exec 3>&-
      mv e/h2 e/h3; cat e/h e/h3 | sha256sum`;
      t.is(await server.sh(script), (await shell(`mkdir w; cd w; ${script}`, directory)).stdout);
      t.is(await server.sh("ls -R"), (await shell("ls -R", join(directory, "w"))).stdout);
    },
  );
}

mountTest(
  "names and symlinks are bytes: those that aren't UTF-8 stay apart and whole",
  async (t) => {
    const server = await start(t);
    const names = String.raw`$'\xff' $'\xfe' $'\xe9\x80' $'\u00e9' $'\x80\x81\x82'`;
    await server.sh(`i=0; for n in ${names}; do i=$((i + 1)); echo $i >"$n"; done`);
    t.is(await server.sh(`cat ${names}`), "1\n2\n3\n4\n5\n");
    t.is(await server.sh("ls | wc -l"), "5\n");
    await server.sh(
      String.raw`ln -s $'\xff\xfe/\xe9' link; test "$(readlink link)" = $'\xff\xfe/\xe9'`,
    );
    await server.sh(String.raw`mv $'\xff' $'\xfd'; mkdir $'\xfa'; mv $'\xfd' $'\xfa'/`);
    t.is(await server.sh(String.raw`cat $'\xfa'/*`), "1\n");
    const longest = String.raw`$(printf '\xff%.0s' $(seq 255))`;
    await server.sh(`echo long >"${longest}"; test "$(cat "${longest}")" = long; ls -l >/dev/null`);
  },
);

mountTest(
  "touch works; any other time, which can't be known, is refused and not guessed",
  async (t) => {
    const server = await start(t);
    await server.sh(`touch new; touch new; echo x >f`);
    const before = await server.sh("stat -c '%Y %X' f");
    for (const refused of [
      "touch -d 2001-02-03 f",
      "touch -d 1950-01-01 f",
      // As rsync -t does it: the access time stays.
      'python3 -c \'import os; os.utime("f", ns=(os.stat("f").st_atime_ns, 10**18))\'',
    ]) {
      const { code, stderr } = await shell(refused, server.mountpoint);
      t.is(code, 1, refused);
      t.regex(stderr, /not supported/);
    }
    t.is(await server.sh("stat -c '%Y %X' f"), before);
  },
);

mountTest("an unlinked file stays readable and writable for who has it open", async (t) => {
  const server = await start(t);
  await server.sh(`
    echo before >f; exec 3<>f; rm f; test ! -e f; echo AFTER >&3
    exec 4<f 2>/dev/null && exit 1; test "$(cat /proc/$$/fd/3)" = AFTER; echo other >f
    exec 3>&-; test "$(cat f)" = other; test "$(ls -A)" = f`);
  t.is(await server.sh("cat f"), "other\n");
});

mountTest("what is written by one name of a file is read by the other at once", async (t) => {
  const server = await start(t);
  await server.sh("echo one >a; ln a b; cat a b; echo two >>a");
  t.is(
    await server.sh("cat b; echo three >>b; stat -c %h a; rm b; stat -c %h a"),
    "one\ntwo\n2\n1\n",
  );
  t.is(await server.sh("cat a"), "one\ntwo\nthree\n");
});

mountTest("extended attributes are kept; a buffer too small is ERANGE", async (t) => {
  const server = await start(t);
  await server.sh(`
    touch f; setfattr -n user.a -v "$(printf '%0300d' 7)" f; setfattr -n user.é -v x f
    test "$(getfattr --only-values -n user.a f)" = "$(printf '%0300d' 7)"
    getfattr -d f | grep -q 'user.é'; setfattr -x user.a f; ! getfattr -n user.a f 2>/dev/null
    setfattr -n user.a -v "$(printf '%0300d' 7)" f`);
  const python = `import ctypes
c = ctypes.CDLL(None, use_errno=True); b = ctypes.create_string_buffer(9)
r = c.getxattr(b"f", b"user.a", b, 9); print(r, ctypes.get_errno())`;
  t.is(await server.sh(`python3 -c '${python}'`), "-1 34\n");
  const list = python.replace('c.getxattr(b"f", b"user.a", b, 9)', 'c.listxattr(b"f", b, 9)');
  t.is(
    await server.sh(`setfattr -n user.b f; setfattr -n user.c f; python3 -c '${list}'`),
    "-1 34\n",
  );
});

mountTest("df, stat -f, findmnt and a read-only mount are told the truth", async (t) => {
  const server = await start(t, { mount: { fsName: "a,name", readOnly: true } });
  t.is(await server.sh("stat -f -c '%l %S %b' ."), `255 4096 ${2 ** 40 / 4096}\n`);
  const shown = await server.sh("findmnt -n -o SOURCE,FSTYPE,OPTIONS .");
  t.regex(shown, /^a,name +fuse\.dfs +ro,nosuid,nodev/);
  t.regex((await shell("touch f 2>&1", server.mountpoint)).stdout, /Read-only/);
});

mountTest("many files in one directory are all listed, once", async (t) => {
  const server = await start(t, { pageEntries: 7 });
  t.is(
    await server.sh("touch $(seq 1500); ls | sort -n | tr '\\n' ' ' | md5sum"),
    (await shell("seq 1500 | tr '\\n' ' ' | md5sum", "/")).stdout,
  );
});

mountTest("umount from outside ends it, and its process", async (t) => {
  const server = await start(t);
  await server.sh(`mkdir -p a/b; echo x >a/b/f; mv a/b c; ls -lR; cat c/f; rm c/f; echo y >z`);
  await unmountPath(server.mountpoint, { lazy: false });
  t.false(await isMounted(server.mountpoint));
  await server.closed;
  t.is(await server.exited, 0);
});

mountTest("lookups and handles are given back while it is mounted, too", async (t) => {
  const server = await start(t, { mount: { entryTimeoutMs: 1, attrTimeoutMs: 1 } });
  await server.sh("for i in $(seq 50); do echo $i >f$i; cat f$i; rm f$i; done");
  const counts = await server.command({ type: "counts" });
  t.deepEqual(counts, { type: "counts", lookups: 0, handles: 0, inodes: 1 });
});

mountTest("a busy mount isn't unmounted; lazily it is", async (t) => {
  const server = await start(t);
  await server.sh("echo data >f");
  const script = `exec 3<f; cd /; umount '${server.mountpoint}' 2>/dev/null && exit 1; exit 0`;
  await server.sh(script);
  t.deepEqual(await server.command({ type: "unmount", lazy: true }), { type: "done" });
  await server.closed;
});

mountTest("options that it would carry out wrongly are refused", async (t) => {
  for (const mount of [{ allowOther: true }, { writeback: true }]) {
    await t.throwsAsync(start(t, { mount }), { code: "EOPNOTSUPP", message: /channel/ });
  }
});
