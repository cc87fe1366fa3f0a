// truncate and ftruncate; utimensat and futimens; access: sizes, times and questions.
import type { Cases } from "./language.ts";

const SECOND = 1_000_000_000n;

export const TRUNCATE_CASES: Cases = {
  "truncate cuts and grows, and what grew is zeroes": `create f 0644\nopen:a f wronly
    write:a abcdef = 6\ntruncate f 3\nstat f = size=3\ntruncate f 5\nopen:r f rdonly
    read:r 9 = abc\\x00\\x00`,
  "ftruncate, too": `create f 0644\nopen:a f rdwr\nwrite:a abcdef = 6\nftruncate:a 3
    fstat:a = size=3\nftruncate:a 5\nopen:r f rdonly\nread:r 9 = abc\\x00\\x00`,
  "truncate marks mtime and ctime": `create f 0644\nmark f .\ntruncate f 7\nsince f = mtime ctime
    since . = none\nmark f\ntruncate f 2\nsince f = mtime ctime`,
  "ftruncate marks mtime and ctime": `create f 0644\nopen:a f wronly\nmark f\nftruncate:a 7
    since f = mtime ctime`,
  "ftruncate to the same size marks them, too": `create f 0644\nopen:a f wronly\nmark f
    ftruncate:a 0\nsince f = mtime ctime`,
  "a refused truncate changes nothing": `create f 0644\ntruncate f 9\nmark f
    @100 truncate f 3 = EACCES\nsince f = none\nstat f = size=9`,
  "truncate of a directory is EISDIR": "mkdir d 0755\ntruncate d 0 = EISDIR\ntruncate . 5 = EISDIR",
  "truncate of a fifo, a socket or a device is EINVAL": `mkfifo p 0644\ntruncate p 0 = EINVAL
    bind k\ntruncate k 0 = EINVAL\nmknod c char 0644 1 3\ntruncate c 0 = EINVAL`,
  "truncate to less than nothing is EINVAL": `create f 0644\ntruncate f -1 = EINVAL
    open:a f wronly\nftruncate:a -1 = EINVAL`,
  "truncate beyond any file is EFBIG": `create f 0644\ntruncate f 9223372036854775807 = EFBIG
    open:a f wronly\nftruncate:a 9223372036854775807 = EFBIG\nstat f = size=0`,
  "a sparse file of some TiB": `create f 0644\ntruncate f 4398046511104\nstat f = size=4398046511104
    open:a f wronly+append\nwrite:a abc = 3\nstat f = size=4398046511107\ntruncate f 0`,
  "truncate by another clears suid and sgid": `create f 0644\nchmod f 6777\n@100 truncate f 3
    stat f = mode=0777`,
  "truncate by root keeps suid and sgid": `create f 0644\nchmod f 6777\ntruncate f 3
    stat f = mode=6777`,
  "ftruncate by another clears suid and sgid": `create f 0644\nchmod f 6777\n@100 open:a f wronly
    @100 ftruncate:a 3\nstat f = mode=0777`,
  "ftruncate asks for no permission any more": `create f 0666\n@100 open:a f wronly\nchmod f 0000
    @100 ftruncate:a 5\nstat f = size=5\n@100 truncate f 6 = EACCES`,
  "ftruncate of an unlinked file": `create f 0644\nopen:a f rdwr\nunlink f\nftruncate:a 9
    fstat:a = size=9 nlink=0`,
};

const time = (seconds: bigint, nanoseconds = 0n): string => String(seconds * SECOND + nanoseconds);

function setsAndTells(name: string, atime: string, mtime: string): Cases {
  return {
    [`times are kept: ${name}`]: `create f 0644\nutimens f ${atime} ${mtime}
      stat f = atime=${atime} mtime=${mtime}`,
    [`times of a directory are kept: ${name}`]: `mkdir d 0755\nutimens d ${atime} ${mtime}
      lstat d = atime=${atime} mtime=${mtime}`,
  };
}

const KINDS: Readonly<Record<string, string>> = {
  file: "create x 0644",
  directory: "mkdir x 0755",
  fifo: "mkfifo x 0644",
  "character device": "mknod x char 0644 1 3",
  socket: "bind x",
  symlink: "symlink nothing x",
};

function ofEachKind(rule: string, steps: string): Cases {
  return Object.fromEntries(
    Object.entries(KINDS).map(([kind, make]) => [`${rule}: ${kind}`, `${make}\n${steps}`]),
  );
}

export const TIMES_CASES: Cases = {
  ...setsAndTells("the epoch", time(0n), time(0n)),
  ...setsAndTells("nanoseconds", time(1n, 1n), time(2n, 999_999_999n)),
  ...setsAndTells("before 1970", time(-1n), time(-2n, 1n)),
  ...setsAndTells("1901", time(-2_147_483_647n), time(-2_147_483_647n, 5n)),
  ...setsAndTells("2038 and later", time(2_147_483_648n), time(4_294_967_296n, 7n)),
  ...setsAndTells("2400", time(13_569_465_600n), time(13_569_465_600n, 123_456_789n)),
  ...ofEachKind("utimensat marks ctime", "mark x\nlutimens x 5 6\nsince x = atime mtime ctime"),
  ...ofEachKind(
    "omit leaves the time",
    `lutimens x 5000000001 6000000002\nlutimens x omit 7
    lstat x = atime=5000000001 mtime=7\nlutimens x 8 omit\nlstat x = atime=8 mtime=7`,
  ),
  ...ofEachKind(
    "now is later than before",
    "mark x\nlutimens x now now\nsince x = atime mtime ctime",
  ),
  ...ofEachKind("omit twice does nothing", "mark x\nlutimens x omit omit\nsince x = none"),
  "utimensat follows symlinks":
    "create f 0644\nsymlink f s\nutimens s 5 6\nstat f = atime=5 mtime=6",
  "utimensat of the link itself": `create f 0644\nsymlink f s\nmark f\nlutimens s 5 6
    lstat s = atime=5 mtime=6\nsince f = none`,
  "futimens by a handle to read":
    "create f 0644\nopen:a f rdonly\nfutimens:a 5 6\nstat f = atime=5 mtime=6",
  "futimens of an unlinked file": `create f 0644\nopen:a f rdonly\nunlink f\nfutimens:a 5 6
    fstat:a = atime=5 mtime=6`,
  "times that were set outlast a close": `create f 0644\nopen:a f wronly\nwrite:a abc = 3
    futimens:a 5 6\nclose:a\nstat f = atime=5 mtime=6`,
  "a write after them marks mtime": `create f 0644\nopen:a f wronly\nfutimens:a 5 6\nmark f
    write:a abc = 3\nclose:a\nsince f = mtime ctime\nstat f = atime=5`,
  "owners set any time": `create f 0444\nchown f 100 100\n@100 utimens f 5 6\n@100 utimens f now now
    @100 utimens f 5 now\n@100 utimens f now omit`,
  "who may write sets both to now and no other": `create f 0666\n@100 utimens f now now
    @100 utimens f 5 6 = EPERM\n@100 utimens f now 6 = EPERM\n@100 utimens f now omit = EPERM
    @100 utimens f omit now = EPERM\n@100 utimens f omit 6 = EPERM`,
  "the group that may write sets both to now": `create f 0464\nchown f 100 200
    @101:200 utimens f now now\n@101:101,200 utimens f now now\n@102 utimens f now now = EACCES`,
  "who may read sets nothing": `create f 0644\nmark f\n@100 utimens f now now = EACCES
    @100 utimens f 5 6 = EPERM\n@100 utimens f omit omit\nsince f = none`,
  "root sets what it likes": "create f 0000\nchown f 100 100\nutimens f 5 6\nutimens f now now",
  "nanoseconds out of range are EINVAL": `create f 0644\nmark f
utimens f 5.1000000000 now = EINVAL\nutimens f now 5.-1 = EINVAL\nsince f = none`,
};

export const ACCESS_CASES: Cases = {
  "root reads and writes anything":
    "create f 0000\nchown f 100 100\naccess f rw\naccess f x = EACCES",
  "root runs what anybody may run": `create f 0001\naccess f x\nchmod f 0010\naccess f x
    chmod f 0100\naccess f rwx`,
  "root searches any directory": "mkdir d 0000\naccess d rwx",
  "existence needs no permission of the file": "create f 0000\n@100 access f f",
  "a symlink's target is asked": `create f 0600\nsymlink f s\n@100 access s r = EACCES
    chmod f 0604\n@100 access s r\n@100 access s w = EACCES`,
  "a fifo is asked as a file":
    "mkfifo p 0640\nchown p 100 200\n@101:200 access p r\n@101:200 access p w = EACCES",
  "a working directory may be left by .. alone": `mkdir d 0755\nmkdir d/e 0755\nchdir d/e
    chmod .. 0600\n@100 stat ../e = EACCES\n@100 stat .`,
};
