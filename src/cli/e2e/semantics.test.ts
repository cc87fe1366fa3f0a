// Lines of SEMANTICS.md that no other test keeps, on two real mounts of one cluster; the second one
// is for all users.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import anyTest, { type ExecutionContext, type TestFn } from "ava";
import { E2eCluster, Teardowns, HANG_MS } from "../../testing/e2e/e2e-cluster.ts";
import { runPython } from "../../testing/e2e/e2e-python.ts";
import { whyNoRootMount } from "../../testing/fuse/fuse-harness.ts";

interface Context {
  cluster: E2eCluster;
  second: string;
  end: Teardowns;
}

const test = anyTest as TestFn<Context>;

test.before(async (t) => {
  const end = new Teardowns();
  t.context.end = end;
  const cluster = await E2eCluster.up(end, { nodes: 1 });
  const forAll = process.geteuid?.() === 0 ? ["-o", "allow_other"] : [];
  const second = await cluster.mountAgain(end, "second", ...forAll);
  Object.assign(t.context, { cluster, second });
});

test.after.always((t) => t.context.end.run());

/**
 * Runs the program in a directory of its own, which it also finds in places[1] on the other client.
 */
async function run(
  t: ExecutionContext<Context>,
  name: string,
  program: string,
): Promise<Record<string, unknown>> {
  t.timeout(HANG_MS);
  const { cluster, second } = t.context;
  await mkdir(join(cluster.mnt, name));
  return runPython(program, join(cluster.mnt, name), join(second, name));
}

test.serial("an unlinked file is read and written on every client that has it open", async (t) => {
  const said = await run(
    t,
    "unlinked",
    `
with open("f", "w") as f: f.write("before")
fds = [os.open(place + "/f", os.O_RDWR) for place in places]
os.unlink("f"); tell("listed", os.listdir(places[0]))
for i, fd in enumerate(fds):
    say("read %d" % i, os.pread, fd, 9, 0)
    os.pwrite(fd, b"client %d" % i, 1000 * i); os.fsync(fd)
    say("read again %d" % i, os.pread, fd, 8, 1000 * i)
    os.close(fd)
`,
  );
  t.deepEqual(said, {
    listed: [],
    "read 0": "before",
    "read again 0": "client 0",
    "read 1": "before",
    "read again 1": "client 1",
  });
});

test.serial("reading leaves the access time alone, and no file has a time of birth", async (t) => {
  const said = await run(
    t,
    "times",
    `
with open("f", "w") as f: f.write("read me")
made = os.stat("f")
tell("set when made", made.st_atime_ns == made.st_ctime_ns or abs(made.st_atime - time.time()) < 60)
os.utime("f", ns=(10**18 + 1, 10**18 + 2))
for place in places: open(place + "/f").read()
tell("atime", [str(os.stat(place + "/f").st_atime_ns) for place in places])
tell("birth", subprocess.run(["stat", "-c", "%w", "f"], capture_output=True, text=True).stdout)
`,
  );
  const times = ["1000000000000000001", "1000000000000000001"];
  t.deepEqual(said, { "set when made": true, atime: times, birth: "-\n" });
});

test.serial(
  "cp copies with and without --reflink=auto, and --reflink=always is refused",
  async (t) => {
    const said = await run(
      t,
      "copies",
      `
with open("f", "wb") as f: f.write(os.urandom(3000000))
for how in ("", "auto", "always"):
    option = ["--reflink=" + how] if how else []
    done = subprocess.run(["cp", *option, "f", "g" + how], capture_output=True)
    tell("cp " + how, done.returncode)
    if done.returncode != 0: continue
    tell("same " + how, open("g" + how, "rb").read() == open("f", "rb").read())
`,
    );
    t.deepEqual(said, {
      "cp ": 0,
      "same ": true,
      "cp auto": 0,
      "same auto": true,
      "cp always": 1,
    });
  },
);

test.serial("zeroes that were written are data, and so are mapped pages after msync", async (t) => {
  const said = await run(
    t,
    "zeroes",
    `
import mmap
M = 1 << 20
fd = os.open("f", os.O_RDWR | os.O_CREAT); os.ftruncate(fd, 4 * M); os.pwrite(fd, bytes(M), M)
def runs(f): return [os.lseek(f, 0, os.SEEK_DATA), os.lseek(f, M, os.SEEK_HOLE)]
say("unwritten", runs, fd); os.fsync(fd); say("committed", runs, fd)
g = os.open("g", os.O_RDWR | os.O_CREAT); os.ftruncate(g, M)
pages = mmap.mmap(g, M); pages[5000:5004] = b"page"; pages.flush()
say("mapped", os.lseek, g, 0, os.SEEK_DATA)
`,
  );
  const runs = [2 ** 20, 2 ** 21];
  t.deepEqual(said, { unwritten: runs, committed: runs, mapped: 4096 });
});

test.serial("programs of one client that append to one file lose nothing", async (t) => {
  const said = await run(
    t,
    "appends",
    `
children = []
for child in range(4):
    pid = os.fork()
    if pid == 0:
        for i in range(250):
            fd = os.open("log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(fd, b"%d %d\\n" % (child, i)); os.close(fd)
        os._exit(0)
    children.append(pid)
for pid in children: os.waitpid(pid, 0)
lines = open("log").read().splitlines()
tell("lines", len(lines)); tell("different lines", len(set(lines)))
`,
  );
  t.deepEqual(said, { lines: 1000, "different lines": 1000 });
});

const rootTest = whyNoRootMount() === undefined ? test.serial : test.skip;

rootTest("ACLs hold for users and groups, with masks and defaults", async (t) => {
  const said = await run(
    t,
    "acls",
    `
import struct
ANY = 0xffffffff
def acl(*entries): return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries)
ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
def as_user(uid, gid, f, *args):
    os.setgroups([]); os.setegid(gid); os.seteuid(uid)
    try: return f(*args)
    finally: os.seteuid(0); os.setegid(0)
def opened(path, flags):
    os.close(os.open(path, flags)); return "ok"
os.umask(0o022); os.chmod(".", 0o755); os.chdir(places[1])
open("f", "w").write("secret"); os.chmod("f", 0o600)
named = acl((1, 6, ANY), (2, 6, 1000), (4, 0, ANY), (8, 4, 2000), (16, 4, ANY), (32, 0, ANY))
say("nobody yet", as_user, 1000, 1000, opened, "f", os.O_RDONLY)
os.setxattr("f", ACCESS, named)
tell("kept", os.getxattr("f", ACCESS) == named)
tell("mode shows the mask", oct(os.stat("f").st_mode & 0o777))
say("named user reads", as_user, 1000, 1000, opened, "f", os.O_RDONLY)
say("the mask forbids writing", as_user, 1000, 1000, opened, "f", os.O_RDWR)
say("named group reads", as_user, 1001, 2000, opened, "f", os.O_RDONLY)
say("others don't", as_user, 1001, 1001, opened, "f", os.O_RDONLY)
os.chmod("f", 0o660); say("chmod widens the mask", as_user, 1000, 1000, opened, "f", os.O_RDWR)
default = acl((1, 7, ANY), (2, 7, 1000), (4, 0, ANY), (16, 7, ANY), (32, 0, ANY))
os.mkdir("d"); os.setxattr("d", DEFAULT, default)
os.mkdir("d/sub"); open("d/sub/g", "w").write("inherited")
tell("handed on", os.getxattr("d/sub", DEFAULT) == os.getxattr("d", DEFAULT))
say("inherited", as_user, 1000, 1000, opened, "d/sub/g", os.O_RDWR)
say("not by others", as_user, 1001, 1001, opened, "d/sub/g", os.O_RDONLY)
os.removexattr("f", ACCESS); say("taken away", as_user, 1000, 1000, opened, "f", os.O_RDONLY)
`,
  );
  t.deepEqual(said, {
    "nobody yet": "EACCES",
    kept: true,
    "mode shows the mask": "0o640",
    "named user reads": "ok",
    "the mask forbids writing": "EACCES",
    "named group reads": "ok",
    "others don't": "EACCES",
    "chmod widens the mask": "ok",
    "handed on": true,
    inherited: "ok",
    "not by others": "EACCES",
    "taken away": "EACCES",
  });
});
