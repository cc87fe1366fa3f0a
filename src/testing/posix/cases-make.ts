// mkdir, rmdir, mkfifo and mknod, and bind of sockets: what is made, whose it is, what it marks.
import type { Cases } from "./language.ts";

/** How to make x with mode 0777 before the umask, and what stat says of it. */
const MAKERS: Readonly<Record<string, readonly [make: string, told: string]>> = {
  mkdir: ["mkdir x 0777", "type=dir nlink=2"],
  create: ["create x 0777", "type=file nlink=1 size=0"],
  mkfifo: ["mkfifo x 0777", "type=fifo nlink=1 size=0"],
  "mknod of a file": ["mknod x file 0777", "type=file nlink=1 size=0"],
  "mknod of a fifo": ["mknod x fifo 0777", "type=fifo nlink=1 size=0"],
  "mknod of a socket": ["mknod x socket 0777", "type=socket nlink=1 size=0"],
  bind: ["bind x", "type=socket nlink=1"],
};

function ofEachMaker(rule: string, steps: (make: string, told: string) => string): Cases {
  return Object.fromEntries(
    Object.entries(MAKERS).map(([name, [make, told]]) => [`${name}: ${rule}`, steps(make, told)]),
  );
}

const SHARED = {
  ...ofEachMaker(
    "its kind, mode and owner",
    (make, told) => `chmod . 0777\n@100:200 ${make}
    lstat x = ${told} mode=0777 uid=100 gid=200`,
  ),
  ...ofEachMaker("the umask takes bits away", (make) => `umask 027\n${make}\nlstat x = mode=0750`),
  ...ofEachMaker("a umask may take all", (make) => `umask 777\n${make}\nlstat x = mode=0000`),
  ...ofEachMaker(
    "it marks the directory's mtime and ctime",
    (make) => `mark .\n${make}
    since . = mtime ctime`,
  ),
  ...ofEachMaker(
    "what is refused marks nothing",
    (make) => `mark .\n@100 ${make} = EACCES
    since . = none\ncreate x 0644\nmark . x\n${make} = EEXIST|EADDRINUSE\nsince . = none
    since x = none`,
  ),
  ...ofEachMaker(
    "a setgid directory gives its group",
    (make) => `chown . 0 300\nchmod . 2777
    @100:200 ${make}\nlstat x = uid=100 gid=300`,
  ),
  ...ofEachMaker(
    "a read-only directory is EACCES, though one owns it",
    (make) => `chown . 100 100
    chmod . 0555\n@100 ${make} = EACCES\n${make}`,
  ),
};

const DEVICES: Cases = {
  "mknod of a character device": `mknod x char 0640 1 3\nlstat x = type=char mode=0640 rdev=1,3`,
  "mknod of a block device": "mknod x block 0640 7 5\nlstat x = type=block mode=0640 rdev=7,5",
  "mknod keeps large numbers": "mknod x char 0600 4095 1048575\nlstat x = rdev=4095,1048575",
  "mknod of a device with minors above 255": "mknod x block 0600 259 256\nlstat x = rdev=259,256",
  "mknod of a device by another than root is EPERM": `chmod . 0777
    @100 mknod x char 0644 1 3 = EPERM\n@100 mknod x block 0644 7 0 = EPERM
    @100 mknod x fifo 0644\n@100 mknod y socket 0644\n@100 mknod z file 0644`,
  "mknod of a directory is EPERM or EINVAL": `mknod x dir 0755 = EPERM|EINVAL\nlist . = {x*0}`,
  "mknod of no known kind is EINVAL": "mknod x odd 0644 = EINVAL",
  "mknod sets suid, sgid and sticky": "mknod x fifo 7777\nlstat x = mode=7777",
  "mkfifo sets suid, sgid and sticky": "mkfifo x 7777\nlstat x = mode=7777",
  "a fifo carries bytes": `mkfifo p 0600\nopen:a p rdwr+nonblock\nwrite:a hello = 5
    read:a 9 = hello`,
  "a fifo has permissions": "mkfifo p 0600\n@100 open p rdwr+nonblock = EACCES",
  "a fifo without readers is ENXIO to a writer who won't wait": `mkfifo p 0600
    open p wronly+nonblock = ENXIO\nopen p rdonly+nonblock`,
  "a socket can't be opened": "bind k\nopen k rdonly = ENXIO\nopen k rdwr = ENXIO",
};

export const MAKE_CASES: Cases = {
  ...SHARED,
  ...DEVICES,
  "mkdir: the directory counts it": `mkdir d 0755\nmkdir d/e 0755\nstat d = nlink=3
    mkdir d/f 0755\nstat d = nlink=4\ncreate d/g 0644\nstat d = nlink=4\nrmdir d/e
    stat d = nlink=3`,
  "mkdir: sticky is kept, suid and sgid are not": "mkdir d 7755\nstat d = mode=1755",
  "mkdir: a setgid directory hands on its bit": `chmod . 2755\nmkdir d 0755\nstat d = mode=2755
    mkdir d/e 0700\nstat d/e = mode=2700\ncreate d/f 0644\nstat d/f = mode=0644`,
  "mkdir: .. of the root of the case": "mkdir d 0755\nsame d/.. . = yes\nsame d/. d = yes",
  "mkdir: a slash behind the name does": "mkdir d/ 0755\nstat d = type=dir",
  "mkdir: a missing name with a dot is ENOENT": "mkdir d/. 0755 = ENOENT",
  "mkdir: the root is EEXIST": "mkdir / 0755 = EEXIST",
  "create in a setgid directory outside one's group loses setgid": `chown . 0 300\nchmod . 2777
    @100:200 create f 2755\nstat f = mode=0755 gid=300`,
  "create in a setgid directory of one's group keeps setgid": `chown . 0 300\nchmod . 2777
    @100:300 create f 2755\nstat f = mode=2755 gid=300\n@100:200,300 create g 2755
    stat g = mode=2755 gid=300`,
  "create sets suid and sticky": "create f 5755\nstat f = mode=5755",
};

export const RMDIR_CASES: Cases = {
  "rmdir takes an empty directory": "mkdir d 0755\nrmdir d\nstat d = ENOENT\nlist . = {x*0}",
  "rmdir with a slash": "mkdir d 0755\nrmdir d/\nstat d = ENOENT",
  "rmdir marks the parent's mtime and ctime": `mkdir p 0755\nmkdir p/d 0755\nmark p .\nrmdir p/d
    since p = mtime ctime\nsince . = none\nstat p = nlink=2`,
  "a refused rmdir marks nothing": `mkdir p 0755\nmkdir p/d 0755\ncreate p/d/f 0644\nmark p p/d
    rmdir p/d = ENOTEMPTY|EEXIST\n@100 rmdir p/d = EACCES\nsince p = none\nsince p/d = none`,
  "rmdir of what has a file is ENOTEMPTY":
    "mkdir d 0755\ncreate d/f 0644\nrmdir d = ENOTEMPTY|EEXIST",
  "rmdir of what has a directory is ENOTEMPTY":
    "mkdir d 0755\nmkdir d/e 0755\nrmdir d = ENOTEMPTY|EEXIST",
  "rmdir of what has a symlink is ENOTEMPTY":
    "mkdir d 0755\nsymlink a d/s\nrmdir d = ENOTEMPTY|EEXIST",
  "rmdir of what has a fifo is ENOTEMPTY":
    "mkdir d 0755\nmkfifo d/p 0644\nrmdir d = ENOTEMPTY|EEXIST",
  "rmdir of what has a device is ENOTEMPTY":
    "mkdir d 0755\nmknod d/c char 0644 1 3\nrmdir d = ENOTEMPTY|EEXIST",
  "rmdir of what has been emptied": `mkdir d 0755\ncreate d/f 0644\nrename d/f f\nrmdir d`,
  "rmdir of . is EINVAL": "mkdir d 0755\nrmdir d/. = EINVAL\nrmdir . = EINVAL",
  "rmdir of .. is ENOTEMPTY": "mkdir d 0755\nmkdir d/e 0755\nrmdir d/e/.. = ENOTEMPTY|EEXIST",
  "rmdir of a symlink to a directory is ENOTDIR":
    "mkdir d 0755\nsymlink d s\nrmdir s = ENOTDIR\nrmdir s/ = ENOTDIR",
  "rmdir of a fifo is ENOTDIR": "mkfifo x 0644\nrmdir x = ENOTDIR",
  "rmdir of a socket is ENOTDIR": "bind x\nrmdir x = ENOTDIR",
  "rmdir of a device is ENOTDIR": "mknod x char 0644 1 3\nrmdir x = ENOTDIR",
  "rmdir needs no permission of the directory itself": `mkdir p 0777\nmkdir p/d 0000
    @100 rmdir p/d\nlist p = {x*0}`,
  "a directory that is open can go": `mkdir d 0755\nopen:a d rdonly+directory\nrmdir d
    fstat:a = nlink=0 type=dir\nlistfd:a = {x*0}`,
  "rmdir of a mount point is EBUSY": "rmdir /proc = EBUSY",
};
