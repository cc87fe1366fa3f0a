// link, unlink, symlink and readlink.
import type { Cases } from "./language.ts";

const KINDS: Readonly<Record<string, string>> = {
  file: "create x 0644",
  fifo: "mkfifo x 0644",
  "character device": "mknod x char 0644 1 3",
  "block device": "mknod x block 0644 7 0",
  socket: "bind x",
  symlink: "symlink nothing x",
};

function ofEachKind(rule: string, steps: string): Cases {
  return Object.fromEntries(
    Object.entries(KINDS).map(([kind, make]) => [`${rule}: ${kind}`, `${make}\n${steps}`]),
  );
}

export const LINK_CASES: Cases = {
  ...ofEachKind(
    "link gives a second name to one inode",
    `link x y\nsame x y = yes\nlstat x = nlink=2\nlink y z\nlstat x = nlink=3\nunlink x
    lstat z = nlink=2\nunlink y\nlstat z = nlink=1`,
  ),
  ...ofEachKind(
    "link marks the inode's ctime and the directory's mtime and ctime",
    "mkdir d 0755\nmark x d .\nlink x d/y\nsince x = ctime\nsince d = mtime ctime\nsince . = none",
  ),
  ...ofEachKind(
    "a refused link marks nothing",
    `mkdir d 0755\nlchown x 100 100\nmark x d\n@100 link x d/y = EACCES\nsince x = none
    since d = none`,
  ),
  ...ofEachKind("what exists is EEXIST", "create y 0644\nlink x y = EEXIST\nlstat x = nlink=1"),
  ...ofEachKind("to itself is EEXIST", "link x x = EEXIST"),
  ...ofEachKind(
    "a second name shares owner and mode",
    "link x y\nlchown y 5 6\nlstat x = uid=5 gid=6",
  ),
  ...ofEachKind("another file system is EXDEV", "link x /dev/shm/dfs-posix-cases-none = EXDEV"),
  "a directory is EPERM, for root as well": `mkdir d 0755\nlink d e = EPERM\nchmod . 0777
    chown d 100 100\n@100 link d e = EPERM`,
  "a symlink to a directory can be linked": "mkdir d 0755\nsymlink d s\nlink s t\nsame s t = yes",
  "linkat can follow a symlink": `create f 0644\nsymlink f s\nlinkfollow s g\nsame f g = yes
    linkfollow s g = EEXIST`,
  "linkat that follows to a directory is EPERM":
    "mkdir d 0755\nsymlink d s\nlinkfollow s t = EPERM",
  "linkat that follows to nothing is ENOENT": "symlink n s\nlinkfollow s t = ENOENT",
  "an unlinked file can't be named again": `create f 0644\nopen:a f rdwr\nunlink f
    linkfd:a g = ENOENT`,
  "a new name with a slash is ENOENT": "create f 0644\nlink f g/ = ENOENT",
  "what is written through one name is read by the other": `create f 0644\nlink f g
    open:a f wronly\nwrite:a abc = 3\nopen:b g rdonly\nread:b 9 = abc\nstat g = size=3`,
};

export const UNLINK_CASES: Cases = {
  ...ofEachKind("unlink takes the name", "unlink x\nlstat x = ENOENT\nlist . = {x*0}"),
  ...ofEachKind(
    "unlink marks the directory's mtime and ctime",
    "mkdir d 0755\nrename x d/x\nmark d .\nunlink d/x\nsince d = mtime ctime\nsince . = none",
  ),
  ...ofEachKind(
    "unlink marks the ctime of what has other names",
    "link x y\nmark y\nunlink x\nsince y = ctime\nlstat y = nlink=1",
  ),
  ...ofEachKind(
    "a refused unlink marks nothing",
    `mkdir d 0755\nrename x d/x\nmark d d/x\n@100 unlink d/x = EACCES\nsince d = none
    since d/x = none`,
  ),
  ...ofEachKind(
    "unlink needs no permission of the file itself",
    "mkdir d 0777\nrename x d/x\n@100 unlink d/x\nlist d = {x*0}",
  ),
  ...ofEachKind(
    "a name is free again",
    "unlink x\nmkdir x 0755\nrmdir x\nsymlink a x\nreadlink x = a",
  ),
  "a directory is EISDIR or EPERM": `mkdir d 0755\nunlink d = EISDIR|EPERM\nchmod . 0777
    chown d 100 100\n@100 unlink d = EISDIR|EPERM\nunlink . = EISDIR|EPERM|EINVAL
    unlink .. = EISDIR|EPERM|ENOTEMPTY`,
  "a symlink to a directory goes, the directory stays": `mkdir d 0755\nsymlink d s\nunlink s
    stat d = type=dir\nlstat s = ENOENT`,
  "a symlink to a directory with a slash is ENOTDIR":
    "mkdir d 0755\nsymlink d s\nunlink s/ = ENOTDIR",
  "an unlinked file lives while it is open": `create f 0644\nopen:a f rdwr\nwrite:a abc = 3
    unlink f\nfstat:a = nlink=0 size=3\nftruncate:a 2\nfstat:a = size=2\nlist . = {x*0}`,
  "an unlinked file's ctime is marked": `create f 0644\nlink f g\nopen:a f rdonly\nunlink g
    unlink f\nfstat:a = nlink=0`,
  "a new file of the name is another": `create f 0600\nopen:a f rdonly\nunlink f\ncreate f 0644
    fstat:a = nlink=0 mode=0600\nstat f = nlink=1 mode=0644`,
  "a removed working directory is empty": "mkdir d 0755\nchdir d\nrmdir ../d\nlist . = {x*0}",
  "an empty directory that is gone can't be filled": `mkdir d 0755\nchdir d\nrmdir ../d
    create f 0644 = ENOENT\nmkdir e 0755 = ENOENT\nsymlink a b = ENOENT
    link ../d/x y = ENOENT`,
};

export const SYMLINK_CASES: Cases = {
  "a symlink has its text, its length and all bits": `symlink some/where s
    readlink s = some/where\nlstat s = type=symlink size=10 mode=0777 nlink=1 uid=0 gid=0`,
  "a symlink belongs to who makes it": `chmod . 0777\n@100:200 symlink a s
    lstat s = uid=100 gid=200`,
  "the umask doesn't matter": "umask 777\nsymlink a s\nlstat s = mode=0777",
  "symlink marks the directory's mtime and ctime": `mkdir d 0755\nmark d\nsymlink a d/s
    since d = mtime ctime`,
  "a refused symlink marks nothing": `mkdir d 0755\nmark d\n@100 symlink a d/s = EACCES
    since d = none\nmark d\nmkdir d/s 0755\nmark d\nsymlink a d/s = EEXIST\nsince d = none`,
  "targets have 4,095 bytes": `symlink {t*4095} s\nreadlink s = {t*4095}\nlstat s = size=4095
    symlink {t*4096} u = ENAMETOOLONG`,
  "an empty target is ENOENT": "symlink {t*0} s = ENOENT",
  "a target is bytes, and nobody looks at them": `symlink \\xff\\x01\\n\\_// s
    readlink s = \\xff\\x01\\n\\_//`,
  "a target with a name too long can be kept, not followed": `symlink {t*256} s
    stat s = ENAMETOOLONG\nlstat s = size=256`,
  "an absolute target": "symlink /dev/null s\nstat s = type=char rdev=1,3",
  "a relative target starts at the symlink": `mkdir d 0755\ncreate d/f 0644\nsymlink f d/s
    stat d/s = type=file\nmkdir d/e 0755\nsymlink ../f d/e/s\nstat d/e/s = type=file`,
  "a target's trailing slash means a directory": `create f 0644\nmkdir d 0755\nsymlink f/ s
    stat s = ENOTDIR\nsymlink d/ t\nstat t = type=dir`,
  "one that was moved starts at its new place": `mkdir d 0755\ncreate f 0644\nsymlink ../f d/s
    stat d/s = type=file\nrename d/s s\nstat s = ENOENT`,
  "what a symlink names may come later":
    "symlink f s\nstat s = ENOENT\ncreate f 0644\nstat s = type=file",
  "readlink of a file is EINVAL": "create f 0644\nreadlink f = EINVAL",
  "readlink of a directory is EINVAL": "mkdir d 0755\nreadlink d = EINVAL\nreadlink . = EINVAL",
  "readlink of a fifo, a socket and a device is EINVAL": `mkfifo p 0644\nreadlink p = EINVAL
    bind k\nreadlink k = EINVAL\nmknod c char 0644 1 3\nreadlink c = EINVAL`,
  "anybody may read a symlink": "symlink a s\n@100 readlink s = a",
  "readlink with a slash behind it goes to the directory":
    "mkdir d 0755\nsymlink d s\nreadlink s/ = EINVAL",
  "a name with a slash is ENOENT": "symlink a s/ = ENOENT",
};
