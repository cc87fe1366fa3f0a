// Several ways to the same bytes on one client: mappings, direct I/O, threads, appending processes,
// and the end of what a file may be. Most programs run in a local directory too, and must give the
// same.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { E2eCluster, Teardowns, HANG_MS } from "../../testing/e2e/e2e-cluster.ts";
import { MIB } from "../../testing/e2e/e2e-files.ts";
import { runPython } from "../../testing/e2e/e2e-python.ts";

const teardowns = new Teardowns();
let cluster: E2eCluster;

test.before(async (t) => {
  t.timeout(HANG_MS);
  cluster = await E2eCluster.up(teardowns, { nodes: 1 });
});
test.after.always(() => teardowns.run());

/** Runs it in the mount, and returns what it told. */
async function onMount(name: string, program: string): Promise<Record<string, unknown>> {
  const directory = join(cluster.mnt, name);
  await mkdir(directory);
  return runPython(program, directory);
}

/** A local file system gives what is expected, and so does the mount. */
async function same(
  t: ExecutionContext,
  name: string,
  expected: Record<string, unknown>,
  program: string,
): Promise<void> {
  t.timeout(HANG_MS);
  const local = join(cluster.scratch, name);
  await mkdir(local);
  t.deepEqual(await runPython(program, local), expected, "a local directory");
  t.deepEqual(await onMount(name, program), expected, "the mount");
}

const MAPPING = `
import mmap
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_int64]
def in_child(f):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        f()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else "exit %d" % os.WEXITSTATUS(status)
`;

test.serial("shared mappings, reads and writes of one client see each other at once", (t) =>
  same(
    t,
    "shared",
    {
      "read sees the mapping": "HELLOaaa",
      "the mapping sees the write": "WORLD",
      "another descriptor": "HELLOWORLD",
      "another mapping": "across",
      "a child's": "child",
      "the child ended": "exit 0",
      "behind the end and back": "\0\0\0\0",
      "before it": "aaaa",
      "the mapping outlives its descriptor": "late",
      "after munmap": "late",
      "a copy has it too": true,
    },
    `${MAPPING}
fd = os.open("f", RW); os.write(fd, b"a" * 10000)
shared = mmap.mmap(fd, 10000)
shared[0:5] = b"HELLO"; say("read sees the mapping", os.pread, fd, 8, 0)
os.pwrite(fd, b"WORLD", 5); say("the mapping sees the write", lambda: shared[5:10])
other = os.open("f", os.O_RDONLY); say("another descriptor", os.pread, other, 10, 0)
second = mmap.mmap(other, 10000, mmap.MAP_SHARED, mmap.PROT_READ)
shared[4093:4099] = b"across"; say("another mapping", lambda: second[4093:4099])
def write(): shared[100:105] = b"child"
say("the child ended", in_child, write); say("a child's", os.pread, fd, 5, 100)
os.ftruncate(fd, 5000); os.ftruncate(fd, 10000)
say("behind the end and back", lambda: shared[5000:5004]); say("before it", os.pread, fd, 4, 4996)
os.close(fd); os.close(other)
shared[9000:9004] = b"late"
def reread():
    with open("f", "rb") as f: return f.read()[9000:9004]
say("the mapping outlives its descriptor", reread)
shared.close(); second.close(); say("after munmap", reread)
os.system("cp f g")
say("a copy has it too", lambda: open("f", "rb").read() == open("g", "rb").read())
`,
  ),
);

test.serial("a private mapping keeps its changes, and a page behind the end is SIGBUS", (t) =>
  same(
    t,
    "private",
    {
      "its own": "private",
      "the file's": "aaaaaaa",
      "not written to yet": "later",
      "the rest of the last page": 0,
      "a page behind the end": 7,
      "writing behind the end": 7,
      "a page that was cut off": 7,
      "once the file is longer": "exit 0",
    },
    `${MAPPING}
fd = os.open("f", RW); os.write(fd, b"a" * 9000)
private = mmap.mmap(fd, 9000, mmap.MAP_PRIVATE)
private[0:7] = b"private"
say("its own", lambda: private[0:7]); say("the file's", os.pread, fd, 7, 0)
os.pwrite(fd, b"later", 8192); say("not written to yet", lambda: private[8192:8197])
g = os.open("g", RW); os.write(g, b"g" * 100)
at = libc.mmap(None, 16384, 3, 1, g, 0)
byte = lambda offset: ctypes.c_char.from_address(at + offset)
def put(offset): byte(offset).value = b"x"
say("the rest of the last page", lambda: byte(4000).value[0])
say("a page behind the end", in_child, lambda: byte(4096).value)
say("writing behind the end", in_child, lambda: put(8192))
os.ftruncate(g, 8192); say("once the file is longer", in_child, lambda: put(4096))
os.ftruncate(g, 10); say("a page that was cut off", in_child, lambda: byte(4096).value)
`,
  ),
);

test.serial("processes that append to one file lose no line of each other's", (t) =>
  same(
    t,
    "append",
    { lines: 1200, different: 1200, whole: true, statuses: ["exit 0"] },
    `${MAPPING}
def append(who):
    fd = os.open("log", RW | os.O_APPEND)
    for n in range(300):
        line = b"%d-%d-%s\\n" % (who, n, b"x" * (20 if n % 10 else 5000 if n % 50 else 200000))
        assert os.write(fd, line) == len(line)
    os.close(fd)
children = []
for who in range(4):
    child = os.fork()
    if child == 0:
        append(who)
        os._exit(0)
    children.append(child)
results["statuses"] = sorted({"exit %d" % os.waitpid(child, 0)[1] for child in children})
lines = open("log", "rb").read().split(b"\\n")[:-1]
def whole(line):
    who, n, x = line.split(b"-")
    n = int(n)
    return x == b"x" * (20 if n % 10 else 5000 if n % 50 else 200000)
results.update(lines=len(lines), different=len(set(lines)), whole=all(map(whole, lines)))
`,
  ),
);

test.serial("direct I/O and the page cache show the same bytes", (t) =>
  same(
    t,
    "direct",
    {
      written: 3 * MIB,
      "read through the cache": true,
      "read directly": 3 * MIB,
      right: true,
      "cached write seen directly": "cached",
      "direct write seen by the cache": "direct",
      "direct write seen by a mapping": "direct",
      "a short last block": 100,
      "at the end": 0,
    },
    `
import mmap
def buffer(data):
    space = mmap.mmap(-1, (len(data) + 4095) // 4096 * 4096); space[0:len(data)] = data
    return space
data = bytes(n * 7 % 251 for n in range(4096)) * 768
direct = os.open("f", RW | os.O_DIRECT); cached = os.open("f", os.O_RDWR)
say("written", os.pwritev, direct, [buffer(data)], 0)
say("read through the cache", lambda: os.pread(cached, len(data) + 1, 0) == data)
space = buffer(bytes(len(data)))
say("read directly", os.preadv, direct, [space], 0); say("right", lambda: space[:] == data)
os.pwrite(cached, b"cached", 5000)
os.preadv(direct, [space], 0); say("cached write seen directly", lambda: space[5000:5006])
shared = mmap.mmap(cached, len(data)); shared[8192:8193]
os.pwritev(direct, [buffer(b"direct" + bytes(4090))], 8192)
say("direct write seen by the cache", os.pread, cached, 6, 8192)
say("direct write seen by a mapping", lambda: shared[8192:8198])
os.ftruncate(cached, 2 * 4096 + 100)
say("a short last block", os.preadv, direct, [buffer(bytes(8192))], 8192)
say("at the end", os.preadv, direct, [buffer(bytes(4096))], 12288)
`,
  ),
);

test.serial("threads that read and write one file by offset never see half a record", (t) =>
  same(
    t,
    "threads",
    { wrong: 0, failed: [], whole: true },
    `
import random, threading
RECORD, COUNT, THREADS = 3001, 400, 8
fd = os.open("f", RW); failed, wrong = [], []
def record(n, version): return bytes([1 + (n + version) % 255]) * RECORD
def work(me):
    try:
        mine = [n for n in range(COUNT) if n % THREADS == me]
        rng = random.Random(me)
        for version in range(4):
            rng.shuffle(mine)
            for n in mine:
                os.pwrite(fd, record(n, version), n * RECORD)
                at = rng.choice(mine)
                got = os.pread(fd, RECORD, at * RECORD)
                halves = len(set(got)) > 1 and len(got) == RECORD and 0 not in got
                if halves and at != n: wrong.append(at)
                if os.pread(fd, RECORD, n * RECORD) != record(n, version): wrong.append(n)
    except Exception as e: failed.append(repr(e))
threads = [threading.Thread(target=work, args=(me,)) for me in range(THREADS)]
for each in threads: each.start()
for each in threads: each.join()
os.fsync(fd)
results.update(wrong=len(wrong), failed=failed)
results["whole"] = open("f", "rb").read() == b"".join(record(n, 3) for n in range(COUNT))
`,
  ),
);

test.serial("a limit on file sizes is EFBIG behind it, and writes up to it", (t) =>
  same(
    t,
    "limit",
    {
      "up to it": 10,
      "behind it": "EFBIG",
      "appended behind it": "EFBIG",
      "truncated behind it": "EFBIG",
      "allocated behind it": "EFBIG",
      size: 100_000,
      "copied behind it": "EFBIG",
    },
    `
import resource
fd = os.open("f", RW); g = os.open("g", RW); os.pwrite(g, b"x" * 1000, 0)
resource.setrlimit(resource.RLIMIT_FSIZE, (100000, resource.RLIM_INFINITY))
say("up to it", os.pwrite, fd, b"x" * 20, 99990); say("behind it", os.pwrite, fd, b"x", 100000)
say("appended behind it", os.write, os.open("f", os.O_WRONLY | os.O_APPEND), b"x")
say("truncated behind it", os.ftruncate, fd, 100001)
say("allocated behind it", fallocate, fd, 0, 99999, 2); say("size", size, fd)
say("copied behind it", os.copy_file_range, g, fd, 10, 0, 100000)
`,
  ),
);

test.serial("regular files are always ready, and O_APPEND ignores the offset", (t) =>
  same(
    t,
    "ready",
    { poll: 5, select: [1, 1, 0], appended: "firstsecond", offset: 11, holes: "a\0\0b" },
    `
import select
fd = os.open("f", RW | os.O_APPEND); os.write(fd, b"first")
poll = select.poll(); poll.register(fd, select.POLLIN | select.POLLOUT)
say("poll", lambda: poll.poll(5000)[0][1])
say("select", lambda: [len(x) for x in select.select([fd], [fd], [fd], 5)])
os.lseek(fd, 0, os.SEEK_SET); os.write(fd, b"second")
say("offset", os.lseek, fd, 0, os.SEEK_CUR); say("appended", os.pread, fd, 99, 0)
g = os.open("g", RW); os.write(g, b"a"); os.lseek(g, 2, os.SEEK_CUR); os.write(g, b"b")
say("holes", os.pread, g, 9, 0)
`,
  ),
);

test.serial(
  "a sparse terabyte with bytes at both ends takes no space and says where they are",
  async (t) => {
    t.timeout(HANG_MS);
    const results = await onMount(
      "terabyte",
      `
T = 1 << 40
fd = os.open("f", RW); os.write(fd, b"front" * 1000); os.pwrite(fd, b"back", T - 4)
for when in ("dirty", "synced"):
    say(when, lambda: [os.lseek(fd, 0, os.SEEK_DATA), os.lseek(fd, 0, os.SEEK_HOLE),
                       os.lseek(fd, 5000, os.SEEK_DATA), os.lseek(fd, T - 4, os.SEEK_HOLE)])
    os.fsync(fd)
os.close(fd)
say("du", lambda: int(os.popen("du -k f").read().split()[0]) < 64)
say("apparent", lambda: int(os.popen("du -k --apparent-size f").read().split()[0]))
def tail():
    with open("f", "rb") as f:
        f.seek(T - 8); return f.read()
say("tail", tail); say("middle", lambda: os.pread(os.open("f", os.O_RDONLY), 3, T // 2))
say("copied", lambda: os.system("cp --sparse=always f g") or os.stat("g").st_size == T)
say("its tail", lambda: os.pread(os.open("g", os.O_RDONLY), 9, T - 8))
P4 = 1 << 52
u = os.open("u", RW)
say("up to the end of all files", os.pwrite, u, b"12345", P4 - 3)
say("size", size, u); say("its end", os.pread, u, 9, P4 - 3)
say("behind", os.pwrite, u, b"x", P4); say("far behind", os.pwrite, u, b"x", (1 << 63) - 2)
`,
    );
    const T = 2 ** 40;
    t.deepEqual(results, {
      dirty: [0, 5000, T - 4, T],
      synced: [0, 5000, T - 4, T],
      du: true,
      apparent: T / 1024,
      tail: "\0\0\0\0back",
      middle: "\0\0\0",
      copied: true,
      "its tail": "\0\0\0\0back",
      "up to the end of all files": 3,
      size: 2 ** 52,
      "its end": "123",
      behind: "EFBIG",
      "far behind": "EFBIG",
    });
  },
);

test.serial("ioctls that there are not say so, and sync -f answers", async (t) => {
  t.timeout(HANG_MS);
  const results = await onMount(
    "ioctl",
    `
fd = os.open("f", RW); os.write(fd, b"12345"); g = os.open("g", RW); d = os.open(".", os.O_RDONLY)
GETFLAGS, SETFLAGS, GETVERSION = 0x80086601, 0x40086602, 0x80087601
FICLONE, FIEMAP = 0x40049409, 0xc020660b
for name, target in (("file", fd), ("directory", d)):
    say("flags of a " + name, fcntl.ioctl, target, GETFLAGS, bytes(8))
    say("set flags of a " + name, fcntl.ioctl, target, SETFLAGS, bytes(8))
say("clone", fcntl.ioctl, g, FICLONE, fd); say("version", fcntl.ioctl, fd, GETVERSION, bytes(8))
say("extents", fcntl.ioctl, fd, FIEMAP, bytes(32))
say("unknown", fcntl.ioctl, fd, 0x7777, bytes(8))
say("a terminal", os.isatty, fd)
say("syncfs", libc.syncfs, fd); say("sync -f", os.system, "sync -f f . && sync f g .")
say("still there", lambda: open("f").read())
`,
  );
  t.deepEqual(results, {
    "flags of a file": "ENOTTY",
    "set flags of a file": "ENOTTY",
    "flags of a directory": "ENOTTY",
    "set flags of a directory": "ENOTTY",
    clone: "ENOTSUP",
    version: "ENOTTY",
    extents: "ENOTSUP",
    unknown: "ENOTTY",
    "a terminal": false,
    syncfs: 0,
    "sync -f": 0,
    "still there": "12345",
  });
});
