// Ranges of files, nameless files, renameat2 and fsync on a real mount, as system calls show them.
import test, { type ExecutionContext } from "ava";
import { E2eCluster } from "../../testing/e2e/e2e-cluster.ts";
import { runPython } from "../../testing/e2e/e2e-python.ts";

async function run(
  t: ExecutionContext,
  program: string,
  ...directories: string[]
): Promise<Record<string, unknown>> {
  const cluster = await E2eCluster.up(t, { nodes: 1 });
  const extra = [];
  for (const name of directories) extra.push(await cluster.mountAgain(t, name));
  return runPython(program, cluster.mnt, ...extra);
}

test.serial(
  "fallocate, lseek and copy_file_range do what ext4's do, without moving bytes",
  async (t) => {
    const results = await run(
      t,
      `
fd = os.open("f", RW); g = os.open("g", RW)
say("allocate", fallocate, fd, 0, 0, 100000); say("grown", size, fd)
say("allotted", lambda: os.fstat(fd).st_blocks)
os.pwrite(fd, b"x" * 300000, 50000)
say("data", os.lseek, fd, 0, os.SEEK_DATA); say("hole", os.lseek, fd, 50000, os.SEEK_HOLE)
say("data behind the end", os.lseek, fd, 350000, os.SEEK_DATA)
say("hole behind the end", os.lseek, fd, 350000, os.SEEK_HOLE)
say("punch", fallocate, fd, 3, 100000, 100000)
say("edges", lambda: os.pread(fd, 4, 99998) + os.pread(fd, 4, 199998))
say("the hole", os.lseek, fd, 60000, os.SEEK_HOLE)
say("zero", fallocate, fd, 16, 340000, 50000); say("zero grows", size, fd)
say("zero, keeping the size", fallocate, fd, 17, 340000, 500000); say("kept", size, fd)
say("collapse", fallocate, fd, 8, 0, 4096); say("insert", fallocate, fd, 32, 0, 4096)
say("unshare", fallocate, fd, 0x41, 0, 4096)
say("more than the disk", fallocate, fd, 0, 0, 1 << 50)
say("copy", os.copy_file_range, fd, g, 400000, 0, 7)
say("same bytes", lambda: os.pread(g, 400000, 7) == os.pread(fd, 400000, 0))
say("overlapping", os.copy_file_range, fd, fd, 100, 0, 50)
say("within", os.copy_file_range, fd, fd, 100, 0, 200)
say("clone", fcntl.ioctl, g, 0x40049409, fd); say("getflags", fcntl.ioctl, g, 0x80086601, bytes(8))
`,
    );
    t.deepEqual(results, {
      allocate: 0,
      grown: 100_000,
      allotted: 0,
      data: 50_000,
      hole: 350_000,
      "data behind the end": "ENXIO",
      "hole behind the end": "ENXIO",
      punch: 0,
      edges: "xx\0\0\0\0xx",
      "the hole": 100_000,
      zero: 0,
      "zero grows": 390_000,
      "zero, keeping the size": 0,
      kept: 390_000,
      collapse: "ENOTSUP",
      insert: "ENOTSUP",
      unshare: "ENOTSUP",
      "more than the disk": "ENOSPC",
      copy: 390_000,
      "same bytes": true,
      overlapping: "EINVAL",
      within: 100,
      clone: "ENOTSUP",
      getflags: "ENOTTY",
    });
  },
);

test.serial("a terabyte of nothing costs nothing, and files end where they must", async (t) => {
  const results = await run(
    t,
    `
T = 1 << 40
began = time.monotonic()
fd = os.open("f", RW); u = os.open("u", RW)
os.ftruncate(fd, T); os.pwrite(fd, b"end", T - 3)
say("size", size, fd); say("blocks", lambda: os.fstat(fd).st_blocks)
os.fsync(fd)
say("blocks then", lambda: os.fstat(fd).st_blocks)
say("middle", os.pread, fd, 3, T // 2); say("end", os.pread, fd, 5, T - 5)
say("data", os.lseek, fd, 0, os.SEEK_DATA); say("hole", os.lseek, fd, T - 3, os.SEEK_HOLE)
say("copy", os.copy_file_range, fd, u, 1 << 30, T - (1 << 30), T - (1 << 30))
os.lseek(fd, 0, os.SEEK_SET); say("copy all", os.copy_file_range, fd, u, T)
say("copied", os.pread, u, 5, T - 5)
say("punch", fallocate, fd, 3, 0, T); say("punched", os.pread, fd, 3, T - 3)
say("zero", fallocate, fd, 16, 0, T)
os.unlink("f"); os.close(fd)
say("quick", lambda: time.monotonic() - began < 10)
P4 = 1 << 52
say("beyond by one", os.ftruncate, u, P4 + 1); say("far beyond", os.ftruncate, u, 1 << 62)
say("write beyond", os.pwrite, u, b"x", P4); say("largest", os.ftruncate, u, P4)
say("allocate beyond", fallocate, u, 0, P4, 1)
`,
  );
  t.deepEqual(results, {
    size: 2 ** 40,
    blocks: 1,
    "blocks then": 1,
    middle: "\0\0\0",
    end: "\0\0end",
    data: 2 ** 40 - 3,
    hole: 2 ** 40,
    copy: 2 ** 30,
    "copy all": 2 ** 40,
    copied: "\0\0end",
    punch: 0,
    punched: "\0\0\0",
    zero: 0,
    quick: true,
    "beyond by one": "EFBIG",
    "far beyond": "EFBIG",
    "write beyond": "EFBIG",
    largest: null,
    "allocate beyond": "EFBIG",
  });
});

test.serial("O_TMPFILE makes a nameless file, which linkat may name once", async (t) => {
  const results = await run(
    t,
    `
def unnamed(more=0): return os.open(".", os.O_TMPFILE | os.O_RDWR | more, 0o640)
fd = unnamed()
say("links", lambda: os.fstat(fd).st_nlink); os.write(fd, b"hello"); say("read", os.pread, fd, 9, 0)
say("listed", os.listdir, ".")
say("name it", linkat, "/proc/self/fd/%d" % fd, "named")
say("one link", lambda: os.fstat(fd).st_nlink)
say("by name", lambda: open("named").read()); say("mode", lambda: oct(os.stat("named").st_mode))
os.unlink("named"); say("again", linkat, "/proc/self/fd/%d" % fd, "again")
by_path = unnamed(); say("by AT_EMPTY_PATH", linkfd, by_path, "other")
exclusive = unnamed(os.O_EXCL); say("never to be named", linkfd, exclusive, "never")
for each in (fd, exclusive): os.close(each)
say("left", os.listdir, ".")
`,
  );
  t.deepEqual(results, {
    links: 0,
    read: "hello",
    listed: [],
    "name it": 0,
    "one link": 1,
    "by name": "hello",
    mode: "0o100640",
    again: "ENOENT",
    "by AT_EMPTY_PATH": 0,
    "never to be named": "ENOENT",
    left: ["other"],
  });
});

test.serial("renameat2 exchanges, refuses to replace, and has no whiteouts", async (t) => {
  const results = await run(
    t,
    `
open("a", "w").write("A"); open("b", "w").write("B"); os.mkdir("d"); open("d/x", "w").write("X")
say("no replacing", renameat2, "a", "b", 1); say("free name", renameat2, "a", "c", 1)
say("exchange", renameat2, "c", "b", 2)
say("contents", lambda: open("b").read() + open("c").read())
say("file and directory", renameat2, "b", "d", 2); say("x", lambda: open("b/x").read())
say("nothing there", renameat2, "b", "none", 2)
say("whiteout", renameat2, "c", "w", 4); say("both", renameat2, "b", "c", 3)
`,
  );
  t.deepEqual(results, {
    "no replacing": "EEXIST",
    "free name": 0,
    exchange: 0,
    contents: "AB",
    "file and directory": 0,
    x: "X",
    "nothing there": "ENOENT",
    whiteout: "EINVAL",
    both: "EINVAL",
  });
});

test.serial("clients that take turns append, replace and read each other's files", async (t) => {
  const results = await run(
    t,
    `
places = sys.argv[1:3]
for turn in range(40):
    with open(places[turn % 2] + "/log", "a") as log: log.write("%d\\n" % turn)
say("appended", lambda: open(places[0] + "/log").read().split() == [str(n) for n in range(40)])
wrong = 0
for turn in range(40):
    here, there = places[turn % 2], places[1 - turn % 2]
    with open(here + "/new", "w") as new: new.write("version %d" % turn)
    os.rename(here + "/new", here + "/current")
    wrong += open(there + "/current").read() != "version %d" % turn
say("read an old version", lambda: wrong)
`,
    "second",
  );
  t.deepEqual(results, { appended: true, "read an old version": 0 });
});

test.serial("fsync of files and directories answers, mapped pages included", async (t) => {
  const results = await run(
    t,
    `
import mmap
fd = os.open("f", RW); os.ftruncate(fd, 8192)
pages = mmap.mmap(fd, 8192); pages[4090:4100] = b"0123456789"
say("coherent", os.pread, fd, 10, 4090)
say("msync", lambda: pages.flush()); say("fsync", os.fsync, fd); say("fdatasync", os.fdatasync, fd)
os.pwrite(fd, b"written", 0); say("mapped", lambda: pages[0:7])
say("fsyncdir", os.fsync, os.open(".", os.O_RDONLY)); say("syncfs", libc.syncfs, fd)
say("data", os.lseek, fd, 0, os.SEEK_DATA)
`,
  );
  t.deepEqual(results, {
    coherent: "0123456789",
    msync: null,
    fsync: null,
    fdatasync: null,
    mapped: "written",
    fsyncdir: null,
    syncfs: 0,
    data: 0,
  });
});
