// Big things through a real mount: terabytes, directories, links, paths, open files, names. Without
// DFS_TEST_LONG=1 the directory and the links are smaller.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import anyTest, { type ExecutionContext, type TestFn } from "ava";
import { E2eCluster, Teardowns, HANG_MS } from "../../testing/e2e/e2e-cluster.ts";
import { runLongPython } from "../../testing/e2e/e2e-python.ts";
import { peakMemoryBytes } from "../bench/metric.ts";

interface Context {
  cluster: E2eCluster;
  end: Teardowns;
}

const test = anyTest as TestFn<Context>;
const LONG = process.env["DFS_TEST_LONG"] === "1";
const TIMEOUT_MS = LONG ? 3_600_000 : HANG_MS;
const MIB = 1024 * 1024;

test.before(async (t) => {
  t.context.end = new Teardowns();
  t.context.cluster = await E2eCluster.up(t.context.end, { nodes: 1 });
});

test.after.always((t) => t.context.end.run());

/**
 * Runs the program in a directory of its own; what it calls a figure is logged, the rest returned.
 */
async function run(
  t: ExecutionContext<Context>,
  name: string,
  program: string,
): Promise<Record<string, unknown>> {
  t.timeout(TIMEOUT_MS);
  const { cluster } = t.context;
  const local = join(cluster.scratch, name);
  const place = join(cluster.mnt, name);
  await mkdir(local);
  await mkdir(place);
  const said = await runLongPython(TIMEOUT_MS, program, place, local);
  if (said["figures"] !== undefined) t.log(JSON.stringify(said["figures"]));
  delete said["figures"];
  return said;
}

/**
 * The highest memory that both have had so far; the pages that the server maps of its database
 * count.
 */
async function logPeaks(t: ExecutionContext<Context>): Promise<void> {
  const { meta, mountPid } = await t.context.cluster.report();
  for (const [name, pid] of [
    ["metadata server", meta.pid],
    ["mount", mountPid],
  ] as const) {
    const peak = pid === null ? undefined : await peakMemoryBytes(pid);
    t.log(`${name}: peak memory ${Math.round((peak ?? 0) / MIB)} MiB`);
  }
}

test.serial("a file of terabytes is written, cut, punched, sought in and copied", async (t) => {
  const said = await run(
    t,
    "terabytes",
    `
G, T = 1 << 30, 1 << 40
fd = os.open("f", os.O_RDWR | os.O_CREAT)
data = {0: b"first" * 1000, 64 * 2**20 - 5: b"chunk edge", T - 3: b"terabyte",
        2 * T + 7: os.urandom(5 * 2**20), 3 * T: b"late" * 50000, 5 * T - 1: b"!"}
for at, what in data.items(): os.pwrite(fd, what, at)
def whole(f, upto):
    return all(os.pread(f, len(what), at) == what for at, what in data.items() if at < upto)
def runs(f):
    found, at = [], 0
    while True:
        try: at = os.lseek(f, at, os.SEEK_DATA)
        except OSError: return found
        end = os.lseek(f, at, os.SEEK_HOLE)
        found.append([at, end - at])
        at = end
def expected(upto): return [[at, len(what)] for at, what in sorted(data.items()) if at < upto]
tell("dirty", whole(fd, 5 * T)); tell("runs, dirty", runs(fd) == expected(5 * T))
os.fsync(fd); os.close(fd); fd = os.open("f", os.O_RDWR)
tell("size", os.fstat(fd).st_size); tell("small", os.fstat(fd).st_blocks * 512 < 8 * 2**20)
tell("whole", whole(fd, 5 * T)); tell("runs", runs(fd) == expected(5 * T))
began = time.monotonic()
for sparse in ("auto", "always"):
    subprocess.run(["cp", "--sparse=" + sparse, "f", "copy-" + sparse], check=True)
    copy = os.open("copy-" + sparse, os.O_RDONLY)
    tell("copy, " + sparse, whole(copy, 5 * T) and os.fstat(copy).st_size == 5 * T)
    tell("copy is sparse, " + sparse, os.fstat(copy).st_blocks * 512 < 8 * 2**20)
    os.close(copy)
figures = {"two sparse copies, s": seconds_since(began)}
os.ftruncate(fd, 2 * T); os.ftruncate(fd, 4 * T)
tell("after the cut", runs(fd) == expected(2 * T) and whole(fd, 2 * T))
tell("grown", os.pread(fd, 100, 2 * T + 7) == bytes(100) and os.fstat(fd).st_size == 4 * T)
fallocate(fd, 3, 2**20, T); del data[64 * 2**20 - 5]; data[T - 3] = bytes(8)
tell("punched", whole(fd, 2 * T) and runs(fd) == [[0, 5000]])
os.unlink("f")
tell("unlinked", os.pwrite(fd, b"still", 3 * T) and os.pread(fd, 5, 3 * T) == b"still")
os.close(fd)
tell("figures", figures)
`,
  );
  for (const [what, holds] of Object.entries(said)) {
    if (what !== "size") t.true(holds, what);
  }
  t.is(said["size"], 5 * 2 ** 40);
});

test.serial("a large directory lists every entry once while others come and go", async (t) => {
  const said = await run(
    t,
    "entries",
    `
COUNT, EVERY = ${LONG ? 1_000_000 : 20_000}, ${LONG ? 1000 : 100}
class Dirent(ctypes.Structure):
    _fields_ = [("ino", ctypes.c_uint64), ("off", ctypes.c_int64), ("reclen", ctypes.c_uint16),
                ("type", ctypes.c_ubyte), ("name", ctypes.c_char * 256)]
libc.opendir.restype = ctypes.c_void_p; libc.readdir.restype = ctypes.POINTER(Dirent)
libc.telldir.restype = ctypes.c_long
for f in (libc.readdir, libc.closedir, libc.rewinddir, libc.telldir): f.argtypes = [ctypes.c_void_p]
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
began = time.monotonic()
for i in range(COUNT): os.mknod("e%d" % i)
figures = {"create, 1/s": round(COUNT / seconds_since(began))}
gone, came, seen, places_told = set(), 0, {}, []
began = time.monotonic()
dir = libc.opendir(b"."); first = None
while entry := libc.readdir(dir):
    if first is None: first = seconds_since(began)
    name = entry.contents.name
    seen[name] = seen.get(name, 0) + 1
    if len(seen) % EVERY == 0:
        n = len(seen) // EVERY
        places_told.append((libc.telldir(dir), len(seen)))
        for victim in (b"e%d" % (n * EVERY // 2), b"e%d" % (COUNT - n * EVERY // 3 - 1)):
            if victim not in gone: os.unlink(victim); gone.add(victim)
        os.mknod("new%d" % n); came += 1
figures["first entry, s"] = first; figures["listed with changes, s"] = seconds_since(began)
stayed = [b"e%d" % i for i in range(COUNT) if b"e%d" % i not in gone] + [b".", b".."]
tell("every entry that stays is seen once", sum(seen.get(name) != 1 for name in stayed))
tell("nothing is seen twice", sum(times != 1 for times in seen.values()))
tell("changes", len(gone) > 100 and came > 100)
order = list(seen)
lost = 0
for place, after in places_told[:: len(places_told) // 20]:
    libc.seekdir(dir, place)
    old = [name for name in order[after : after + 2000] if name.startswith(b"e")]
    rest = [name for name in old if name not in gone]
    found = []
    while len(found) < len(rest) and (entry := libc.readdir(dir)):
        name = entry.contents.name
        if name in seen and name.startswith(b"e"): found.append(name)
    lost += found != rest
tell("seekdir goes where telldir was", lost)
libc.rewinddir(dir); again = 0
while libc.readdir(dir): again += 1
tell("a rewound listing", again - (COUNT - len(gone) + came + 2)); libc.closedir(dir)
began = time.monotonic()
counted = subprocess.run("find . | wc -l", shell=True, capture_output=True)
tell("find", int(counted.stdout) - again + 1)
figures["find, s"] = seconds_since(began)
began = time.monotonic(); subprocess.run(["ls", "-l"], stdout=subprocess.DEVNULL, check=True)
figures["ls -l, s"] = seconds_since(began)
began = time.monotonic(); os.chdir(".."); subprocess.run(["rm", "-r", "entries"], check=True)
figures["rm -r, s"] = seconds_since(began)
tell("figures", figures)
`,
  );
  await logPeaks(t);
  t.deepEqual(said, {
    "every entry that stays is seen once": 0,
    "nothing is seen twice": 0,
    changes: true,
    "seekdir goes where telldir was": 0,
    "a rewound listing": 0,
    find: 0,
  });
});

test.serial("a file's links are counted right, however many they are", async (t) => {
  const said = await run(
    t,
    "links",
    `
COUNT = ${LONG ? 1_000_000 : 5000}
fd = os.open("f", os.O_RDWR | os.O_CREAT); os.write(fd, b"linked")
began = time.monotonic(); wrong = 0
for i in range(COUNT):
    os.link("f", "l%d" % i)
    if i % 997 == 0: wrong += os.fstat(fd).st_nlink != i + 2
figures = {"link, 1/s": round(COUNT / seconds_since(began))}
tell("all", os.stat("f").st_nlink - COUNT - 1)
os.unlink("f"); tell("content", open("l%d" % (COUNT - 1)).read())
began = time.monotonic()
for i in range(COUNT):
    os.unlink("l%d" % i)
    if i % 997 == 0: wrong += os.fstat(fd).st_nlink != COUNT - i - 1
figures["unlink, 1/s"] = round(COUNT / seconds_since(began))
tell("wrong counts", wrong); tell("none", os.fstat(fd).st_nlink); tell("names", os.listdir("."))
tell("still there", os.pread(fd, 9, 0).decode()); tell("figures", figures)
`,
  );
  await logPeaks(t);
  t.deepEqual(said, {
    all: 0,
    content: "linked",
    "wrong counts": 0,
    none: 0,
    names: [],
    "still there": "linked",
  });
});

test.serial(
  "paths of 4,095 bytes lead to their files, and those of 4,096 are refused",
  async (t) => {
    const said = await run(
      t,
      "paths",
      `
base, depth = os.getcwd(), 0
def path_of(size):
    room = size - len(os.getcwd()) - 1
    return os.getcwd() + "/" + "n" * room
while len(os.getcwd()) < 4095 - 256:
    name = "d" * 200; os.mkdir(name); os.chdir(name); depth += 1
longest = path_of(4095)
os.chdir(base)
tell("deep", depth > 10)
fd = os.open(longest, os.O_RDWR | os.O_CREAT); os.write(fd, b"deep"); os.close(fd)
say("read", lambda: open(longest).read()); say("size", lambda: os.stat(longest).st_size)
say("too long", os.open, longest + "x", os.O_RDONLY)
say("rename", os.rename, longest, longest[:-1])
say("rename back", os.rename, longest[:-1], longest)
target = "t" * 4095
say("symlink", os.symlink, target, "l"); say("target", lambda: os.readlink("l") == target)
say("symlink too long", os.symlink, target + "t", "m"); say("through it", os.stat, "l")
say("the way to it", os.symlink, longest, "way"); say("through the way", lambda: open("way").read())
say("removed", lambda: subprocess.run(["rm", "-r", base + "/" + "d" * 200]).returncode)
`,
    );
    t.deepEqual(said, {
      deep: true,
      read: "deep",
      size: 4,
      "too long": "ENAMETOOLONG",
      rename: null,
      "rename back": null,
      symlink: null,
      target: true,
      "symlink too long": "ENAMETOOLONG",
      "through it": "ENAMETOOLONG",
      "the way to it": null,
      "through the way": "deep",
      removed: 0,
    });
  },
);

test.serial("10,000 files are open in one process, and outlive their names", async (t) => {
  const said = await run(
    t,
    "open-files",
    `
COUNT = 10000
most = max(COUNT + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (COUNT + 100, most))
began = time.monotonic()
fds = [os.open("f%d" % i, os.O_RDWR | os.O_CREAT) for i in range(COUNT)]
figures = {"opened, 1/s": round(COUNT / seconds_since(began))}
began = time.monotonic()
for i, fd in enumerate(fds): os.write(fd, b"file %d" % i)
tell("read", sum(os.pread(fd, 99, 0) != b"file %d" % i for i, fd in enumerate(fds)))
figures["written and read, s"] = seconds_since(began); began = time.monotonic()
for i in range(COUNT): os.unlink("f%d" % i)
figures["unlinked, s"] = seconds_since(began); began = time.monotonic()
for i, fd in enumerate(fds): os.pwrite(fd, b"gone", 0)
tell("read when unlinked", sum(os.pread(fd, 99, 0) != b"gone %d" % i for i, fd in enumerate(fds)))
tell("links", sum(os.fstat(fd).st_nlink for fd in fds))
for fd in fds: os.close(fd)
figures["written, read and closed, s"] = seconds_since(began)
tell("listed", os.listdir(".")); tell("figures", figures)
`,
  );
  await logPeaks(t);
  t.deepEqual(said, { read: 0, "read when unlinked": 0, links: 0, listed: [] });
});

test.serial(
  "a name is any 1 to 255 bytes but / and NUL, and is listed as it was given",
  async (t) => {
    const said = await run(
      t,
      "names",
      `
single = [bytes([b]) for b in range(1, 256) if b not in b"/."]
names = single + [b"...", b"-", b"\\xff\\xfe", b"\\xc3\\x28", b"n" * 255, b"\\xf0" * 255]
names.append(bytes(b for b in range(1, 256) if b != 0x2f))
for i, name in enumerate(names): open(name, "wb").write(b"%d" % i)
tell("listed", sorted(os.listdir(b".")) == sorted(set(names)))
last = {name: i for i, name in enumerate(names)}
tell("wrong", sum(open(name, "rb").read() != b"%d" % i for name, i in last.items()))
say("256 bytes", os.open, b"n" * 256, os.O_RDWR | os.O_CREAT)
say("renamed to 256 bytes", os.rename, b"-", b"n" * 256)
say("linked as 256 bytes", os.link, b"-", b"n" * 256)
for name in last: os.unlink(name)
tell("left", len(os.listdir(b".")))
`,
    );
    t.deepEqual(said, {
      listed: true,
      wrong: 0,
      "256 bytes": "ENAMETOOLONG",
      "renamed to 256 bytes": "ENAMETOOLONG",
      "linked as 256 bytes": "ENAMETOOLONG",
      left: 0,
    });
  },
);
