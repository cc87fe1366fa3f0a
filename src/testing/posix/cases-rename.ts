// rename and renameat2: what replaces what, who may, what it marks.
import type { Cases } from "./language.ts";

const KINDS: Readonly<Record<string, string>> = {
  file: "create NAME 0644",
  directory: "mkdir NAME 0755",
  fifo: "mkfifo NAME 0644",
  "character device": "mknod NAME char 0644 1 3",
  "block device": "mknod NAME block 0644 7 0",
  socket: "bind NAME",
  symlink: "symlink nothing NAME",
};
const NOREPLACE = 1;
const EXCHANGE = 2;
const WHITEOUT = 4;

const made = (kind: string, name: string): string => (KINDS[kind] ?? "").replace("NAME", name);

function ofEachKind(rule: string, steps: (kind: string) => string): Cases {
  return Object.fromEntries(Object.keys(KINDS).map((kind) => [`${rule}: ${kind}`, steps(kind)]));
}

function ofEachPair(rule: string, steps: (from: string, to: string) => string): Cases {
  const kinds = Object.keys(KINDS);
  return Object.fromEntries(
    kinds.flatMap((from) => kinds.map((to) => [`${rule}: ${from}, ${to}`, steps(from, to)])),
  );
}

function outcome(from: string, to: string): string {
  const [fromDirectory, toDirectory] = [from === "directory", to === "directory"];
  if (fromDirectory === toDirectory) return "";
  return toDirectory ? " = EISDIR" : " = ENOTDIR";
}

const SIMPLE: Cases = {
  ...ofEachKind(
    "rename keeps the inode",
    (kind) => `${made(kind, "x")}\nmkdir d 0755\nmark x
    rename x y\nlstat x = ENOENT\nsince x = ENOENT\nrename y d/z\nlist . = d\nlist d = z`,
  ),
  ...ofEachKind(
    "rename marks both directories and the inode's ctime",
    (kind) => `mkdir a 0755
    mkdir b 0755\n${made(kind, "a/x")}\nmark a b .\nrename a/x b/y\nsince a = mtime ctime
    since b = mtime ctime\nsince . = none\nmark b b/y a\nrename b/y b/x\nsince b = mtime ctime
    since a = none`,
  ),
  ...ofEachKind(
    "a refused rename marks nothing",
    (kind) => `mkdir a 0755\nmkdir b 0755
    ${made(kind, "a/x")}\nmark a b a/x\n@100 rename a/x b/x = EACCES\nrename a/none b/x = ENOENT
    since a = none\nsince b = none\nsince a/x = none`,
  ),
  ...ofEachKind(
    "rename to itself does nothing",
    (kind) => `${made(kind, "x")}\nmark x .
    rename x x\nsince x = none\nsince . = none`,
  ),
  ...ofEachKind(
    "another file system is EXDEV",
    (kind) => `${made(kind, "x")}
    rename x /dev/shm/dfs-posix-cases-none = EXDEV`,
  ),
  ...ofEachPair(
    "what replaces what",
    (from, to) => `${made(from, "x")}\n${made(to, "y")}
    rename x y${outcome(from, to)}
    ${outcome(from, to) === "" ? "lstat x = ENOENT\nlist . = y" : "list . = x y"}`,
  ),
};

const FLAGS: Cases = {
  ...ofEachPair(
    "NOREPLACE is EEXIST",
    (from, to) => `${made(from, "x")}\n${made(to, "y")}
    rename2 x y ${NOREPLACE} = EEXIST\nlist . = x y\nrename2 x z ${NOREPLACE}\nlist . = y z`,
  ),
  ...ofEachPair(
    "EXCHANGE changes places",
    (from, to) => `mkdir d 0755\n${made(from, "x")}
    ${made(to, "d/y")}\nlchown x 5 6\nlchown d/y 7 8\nmark d .\nrename2 x d/y ${EXCHANGE}
    lstat x = uid=7\nlstat d/y = uid=5\nsince d = mtime ctime
    since . = mtime ctime\nlist . = d x\nlist d = y
    stat d = nlink=${from === "directory" ? 3 : 2}`,
  ),
  "EXCHANGE with nothing is ENOENT": `create x 0644\nrename2 x y ${EXCHANGE} = ENOENT
    rename2 y x ${EXCHANGE} = ENOENT`,
  "EXCHANGE with what is below is EINVAL": `mkdir d 0755\nmkdir d/e 0755
    rename2 d d/e ${EXCHANGE} = EINVAL\nrename2 d/e d ${EXCHANGE} = EINVAL`,
  "EXCHANGE of full directories": `mkdir a 0755\nmkdir b 0755\ncreate a/1 0644\ncreate b/2 0644
    rename2 a b ${EXCHANGE}\nlist a = 2\nlist b = 1`,
  "EXCHANGE keeps .. right": `mkdir a 0755\nmkdir a/x 0755\nmkdir b 0755\nmkdir b/y 0755
    mkdir b/y/z 0755\nrename2 a/x b/y ${EXCHANGE}\nsame a/x/.. a = yes\nsame b/y/.. b = yes
    list a/x = z`,
  "EXCHANGE in a sticky directory needs both": `mkdir d 0755\nchmod d 1777\n@100 create d/a 0644
    @101 create d/b 0644\n@100 rename2 d/a d/b ${EXCHANGE} = EPERM
    @101 rename2 d/a d/b ${EXCHANGE} = EPERM\n@100 create d/c 0644
    @100 rename2 d/a d/c ${EXCHANGE}`,
  "EXCHANGE of two names of one inode": `create a 0644\nlink a b\nrename2 a b ${EXCHANGE}
    list . = a b\nstat a = nlink=2`,
  "NOREPLACE and EXCHANGE together are EINVAL": `create x 0644\nrename2 x y 3 = EINVAL`,
  "WHITEOUT and EXCHANGE together are EINVAL": `create x 0644\ncreate y 0644
    rename2 x y 6 = EINVAL`,
  "unknown flags are EINVAL": "create x 0644\nrename2 x y 8 = EINVAL",
  "WHITEOUT leaves a device": `create x 0644\nrename2 x y ${WHITEOUT}
    lstat x = type=char rdev=0,0\nlstat y = type=file`,
};

const DIRECTORIES: Cases = {
  "a directory replaces an empty one": `mkdir a 0755\ncreate a/f 0644\nmkdir b 0700\nrename a b
    list b = f\nstat b = mode=0755 nlink=2`,
  "a full directory isn't replaced": `mkdir a 0755\nmkdir b 0755\ncreate b/f 0644
    rename a b = ENOTEMPTY|EEXIST\nlist . = a b`,
  "a directory below itself is EINVAL": `mkdir a 0755\nmkdir a/b 0755\nrename a a/c = EINVAL
    rename a a/b = EINVAL\nrename a a/b/c = EINVAL`,
  "a directory over what contains it is ENOTEMPTY": `mkdir a 0755\nmkdir a/b 0755
    rename a/b a = ENOTEMPTY|EEXIST|EINVAL`,
  "dots are EBUSY or EINVAL": `mkdir a 0755\nmkdir a/b 0755\nrename a/. c = EBUSY|EINVAL
    rename a/b/.. c = EBUSY|EINVAL\nrename a/b a/. = EBUSY|EINVAL|EEXIST|ENOTEMPTY
    rename a/b a/.. = EBUSY|EINVAL|EEXIST|ENOTEMPTY`,
  "a moved directory has another ..": `mkdir a 0755\nmkdir b 0755\nmkdir a/x 0755
    rename a/x b/x\nsame b/x/.. b = yes\nstat a = nlink=2\nstat b = nlink=3`,
  "a replaced directory is no longer counted": `mkdir a 0755\nmkdir a/x 0755\nmkdir b 0755
    mkdir b/x 0755\nrename a/x b/x\nstat a = nlink=2\nstat b = nlink=3`,
  "a directory may have a slash behind it": `mkdir a 0755\nrename a/ b/\nlist . = b
    mkdir c 0755\nrename b c/\nlist . = c`,
  "a file to a name with a slash is ENOTDIR": "create a 0644\nrename a b/ = ENOTDIR|ENOENT",
  "a symlink to a directory with a slash is ENOTDIR": `mkdir d 0755\nsymlink d s
    rename s/ t = ENOTDIR`,
  "a symlink to a directory isn't one": `mkdir d 0755\nsymlink d s\ncreate f 0644\nrename f s
    lstat s = type=file\nstat d = type=dir`,
  "a directory that may not be written to keeps its ..": `mkdir p 0777\nmkdir q 0777
    @100 mkdir p/d 0755\nchown p/d 101 101\n@100 rename p/d q/d = EACCES\n@100 rename p/d p/e
    chown p/e 100 100\n@100 rename p/e q/e`,
  "rename into a directory that has been removed is ENOENT": `mkdir d 0755\ncreate f 0644
    chdir d\nrmdir ../d\nrename ../f g = ENOENT`,
  "an open directory can be renamed": `mkdir d 0755\ncreate d/f 0644\nopen:a d rdonly
    rename d e\nlistfd:a = f`,
  "a replaced directory is there while it is open": `mkdir a 0755\nmkdir b 0755\nopen:x b rdonly
    rename a b\nfstat:x = type=dir nlink=0\nlistfd:x = {x*0}`,
  "a working directory moves along": `mkdir a 0755\nmkdir b 0755\nmkdir a/x 0755\nchdir a/x
    rename ../../a/x ../../b/y\nsame .. ../../b = yes\ncreate f 0644\nlist ../../b/y = f`,
};

const LINKS: Cases = {
  "two names of one inode both stay": `create a 0644\nlink a b\nmark a .\nrename a b\nsince . = none
    list . = a b\nstat a = nlink=2`,
  "a replaced name is one less, and marks ctime": `create a 0644\ncreate b 0644\nlink b c\nmark c
    rename a b\nstat c = nlink=1\nsince c = ctime`,
  "a replaced file lives while it is open": `create a 0644\ncreate b 0644\nopen:x b rdwr
    write:x abc = 3\nrename a b\nfstat:x = nlink=0 size=3\nstat b = size=0`,
  "a renamed file stays open": `create a 0644\nopen:x a rdwr\nrename a b\nwrite:x abc = 3
    stat b = size=3`,
  "a renamed file's ctime is marked": `create a 0644\nopen:x a rdwr\nlink a k\nmark k
    rename a b\nsince k = ctime`,
};

const STICKY: Cases = {
  "a sticky source lets the owners rename": `mkdir d 0755\nchown d 100 100\nchmod d 1777
    @101 create d/f 0644\n@102 rename d/f d/g = EPERM\n@101 rename d/f d/g
    @100 rename d/g d/h\nrename d/h d/i`,
  "a sticky target lets the owners replace": `mkdir d 0755\nchown d 100 100\nchmod d 1777
    mkdir o 0777\n@101 create d/f 0644\n@102 create o/x 0644\n@102 rename o/x d/f = EPERM
    @102 rename o/x d/g\n@100 create o/y 0644\n@100 rename o/y d/f`,
  "a sticky directory holds directories as well": `mkdir d 0755\nchmod d 1777\n@101 mkdir d/e 0777
    @102 rename d/e d/f = EPERM\n@101 rename d/e d/f`,
};

export const RENAME_CASES: Cases = { ...SIMPLE, ...FLAGS, ...DIRECTORIES, ...LINKS, ...STICKY };
