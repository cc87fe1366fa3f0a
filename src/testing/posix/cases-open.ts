// open with each of its flags, the permissions it asks for, and what reading and writing do
// afterwards.
import type { Cases } from "./language.ts";

/** Who asks of a file of uid 100 and gid 200, and where its three bits stand in the mode. */
const CLASSES: readonly (readonly [name: string, who: string, shift: number])[] = [
  ["owner", "@100:100", 6],
  ["owner in the group", "@100:200", 6],
  ["group", "@101:200", 3],
  ["supplementary group", "@101:101,300,200", 3],
  ["other", "@102:102", 0],
];

function permitted(bits: number, wanted: number): string {
  return (bits & wanted) === wanted ? "" : " = EACCES";
}

/** Each class with each of its bits while all others have the opposite. */
function permissionCases(): Cases {
  const cases: Record<string, string> = {};
  for (const [name, who, shift] of CLASSES) {
    for (let bits = 0; bits < 8; bits += 1) {
      const others = 0o111 * (7 & ~bits);
      const mode = (others & ~(7 << shift)) | (bits << shift);
      const octal = mode.toString(8).padStart(4, "0");
      const asks = (call: string, wanted: number): string =>
        `${who} ${call}${permitted(bits, wanted)}\n`;
      cases[`permission bits ${octal} for ${name}`] =
        `create f 0777\nchown f 100 200\nchmod f ${octal}
        ${asks("open f rdonly", 4)}${asks("open f wronly", 2)}${asks("open f rdwr", 6)}
        ${asks("open f rdonly+trunc", 6)}${asks("open f wronly+append", 2)}
        ${asks("open f wronly+creat", 2)}${asks("truncate f 1", 2)}
        ${asks("access f r", 4)}${asks("access f w", 2)}${asks("access f x", 1)}
        ${asks("access f rwx", 7)}${who} access f f`;
      cases[`permission bits ${octal} of a directory for ${name}`] =
        `mkdir d 0755\ncreate d/f 0666\nchown d 100 200\nchmod d ${octal}
        ${asks("list d", 4)}${asks("stat d/f", 1)}${asks("open d/f rdwr", 1)}
        ${asks("create d/g 0644", 3)}${asks("mkdir d/h 0755", 3)}${asks("unlink d/f", 3)}
        ${asks("access d r", 4)}${asks("access d w", 2)}${asks("access d x", 1)}`;
    }
  }
  return cases;
}

const CREATING: Cases = {
  "creat makes a file of the caller's with the mode less the umask": `chmod . 0777\numask 022
    @100:200 open f wronly+creat 0666\nstat f = type=file mode=0644 uid=100 gid=200 nlink=1 size=0`,
  "creat marks the directory and the new file": `create m 0644\nmark m .\nopen f wronly+creat 0644
    since . = mtime ctime`,
  "creat of what exists marks nothing": `create f 0644\nmark f .\nopen f wronly+creat 0600
    since f = none\nsince . = none\nstat f = mode=0644`,
  "creat with excl of what exists is EEXIST": `create f 0644\nopen f wronly+creat+excl = EEXIST
    mkdir d 0755\nopen d rdonly+creat+excl = EEXIST\nmkfifo p 0644
    open p rdonly+creat+excl = EEXIST\nsymlink f s\nopen s wronly+creat+excl = EEXIST
    symlink none t\nopen t wronly+creat+excl = EEXIST\nstat none = ENOENT`,
  "creat goes through a symlink to nothing": "symlink f s\nopen s wronly+creat\nstat f = type=file",
  "creat goes through a symlink to what is": `create f 0644\nsymlink f s\nopen s wronly+creat
    lstat s = type=symlink`,
  "creat through a symlink without a directory is ENOENT": `symlink d/f s
    open s wronly+creat = ENOENT`,
  "creat of a directory is EISDIR": `mkdir d 0755\nopen d wronly+creat = EISDIR
    open d rdonly+creat = EISDIR\nopen new/ wronly+creat = EISDIR`,
  "creat needs a writable directory only for what is new": `mkdir d 0755\ncreate d/f 0666
    @100 open d/f wronly+creat\n@100 open d/g wronly+creat = EACCES`,
  "creat with a mode of nothing gives a handle nevertheless": `chmod . 0777
    @100 open:a f rdwr+creat 0000\n@100 write:a abc = 3\n@100 open f rdonly = EACCES
    stat f = mode=0000 size=3`,
  "creat with suid and sgid keeps them": "open f wronly+creat 6755\nstat f = mode=6755",
  "creat with trunc empties what exists": `create f 0644\ntruncate f 9\nmark f
    open f wronly+creat+trunc\nstat f = size=0\nsince f = mtime ctime`,
};

const TRUNCATING: Cases = {
  "trunc marks mtime and ctime": `create f 0644\ntruncate f 9\nmark f .\nopen f wronly+trunc
    since f = mtime ctime\nsince . = none\nstat f = size=0`,
  "trunc of what is empty marks them, too":
    "create f 0644\nmark f\nopen f wronly+trunc\nsince f = mtime ctime",
  "a refused trunc changes nothing": `create f 0644\ntruncate f 9\nmark f
    @100 open f wronly+trunc = EACCES\n@100 open f rdonly+trunc = EACCES\nsince f = none
    stat f = size=9`,
  "trunc by another clears suid and sgid": `create f 0644\nchmod f 6777\ntruncate f 9
    @100 open f wronly+trunc\nstat f = mode=0777`,
  "trunc by root keeps suid and sgid": `create f 0644\nchmod f 6777\nopen f wronly+trunc
    stat f = mode=6777`,
  "trunc of a directory is EISDIR": "mkdir d 0755\nopen d wronly+trunc = EISDIR",
  "trunc of a fifo does nothing": "mkfifo p 0644\nopen p rdwr+trunc+nonblock\nstat p = type=fifo",
};

const KINDS: Cases = {
  "a directory opens to read alone": `mkdir d 0755\nopen d rdonly\nopen d wronly = EISDIR
    open d rdwr = EISDIR\nopen d rdonly+directory`,
  "directory wants a directory": `create f 0644\nopen f rdonly+directory = ENOTDIR
    mkdir d 0755\nsymlink d s\nopen s rdonly+directory\nmkfifo p 0644
    open p rdonly+directory = ENOTDIR\nsymlink f t\nopen t rdonly+directory = ENOTDIR`,
  "nofollow refuses a symlink at the end alone": `mkdir d 0755\ncreate d/f 0644\nsymlink d s
    symlink d/f t\nopen t rdonly+nofollow = ELOOP\nopen s/f rdonly+nofollow
    open d/f rdonly+nofollow\nopen s rdonly+nofollow+directory = ENOTDIR|ELOOP
    symlink n u\nopen u wronly+creat+nofollow = ELOOP`,
  "path opens anything and reads nothing": `create f 0000\n@100 open:a f path
    read:a 1 = EBADF\nfstat:a = type=file\nsymlink f s\nopen:b s path+nofollow
    fstat:b = type=symlink`,
  "noatime is for owners":
    "create f 0644\nopen f rdonly+noatime\n@100 open f rdonly+noatime = EPERM",
};

const UNNAMED: Cases = {
  "tmpfile makes a file without a name": `open:a . rdwr+tmpfile 0640\nfstat:a = nlink=0 mode=0640
    write:a abc = 3\nlist . = {x*0}\nfstat:a = size=3`,
  "tmpfile can be linked": `chmod . 0777\numask 022\n@100:200 open:a . rdwr+tmpfile 0666
    @100:200 write:a abc = 3\nlinkfd:a f\nstat f = uid=100 gid=200 mode=0644 size=3 nlink=1
    linkfd:a g\nstat g = nlink=2`,
  "tmpfile with excl can't be linked": "open:a . rdwr+tmpfile+excl 0644\nlinkfd:a f = ENOENT",
  "tmpfile needs the right to write": `@100 open . rdwr+tmpfile = EACCES
    open . rdonly+tmpfile = EINVAL`,
  "tmpfile in what is none is ENOTDIR": "create f 0644\nopen f rdwr+tmpfile = ENOTDIR",
  "tmpfile in a setgid directory has its group": `chown . 0 300\nchmod . 2777
    @100:200 open:a . rdwr+tmpfile 0644\nfstat:a = gid=300 uid=100`,
  "tmpfile doesn't mark the directory": "mark .\nopen:a . rdwr+tmpfile\nsince . = none",
};

const TRANSFER: Cases = {
  "a handle to read doesn't write":
    "create f 0644\nopen:a f rdonly\nwrite:a abc = EBADF\nftruncate:a 1 = EINVAL|EBADF",
  "a handle to write doesn't read": "create f 0644\nopen:a f wronly\nread:a 1 = EBADF",
  "a directory can't be read":
    "mkdir d 0755\nopen:a d rdonly\nread:a 1 = EISDIR\nwrite:a x = EBADF",
  "append goes behind the end, wherever it is": `create f 0644\nopen:a f wronly+append
    write:a ab = 2\ntruncate f 5\nwrite:a cd = 2\nstat f = size=7\nopen:b f wronly\nwrite:b XY = 2
    write:a e = 1\nopen:r f rdonly\nread:r 99 = XY\\x00\\x00\\x00cde`,
  "a write marks mtime and ctime": `create f 0644\nopen:a f wronly\nmark f\nwrite:a abc = 3
    since f = mtime ctime`,
  "a write of nothing marks nothing":
    "create f 0644\nopen:a f wronly\nmark f\nwrite:a {x*0} = 0\nsince f = none",
  "a write keeps what it marked at the close": `create f 0644\nopen:a f wronly\nwrite:a abc = 3
    mark f\nclose:a\nsince f = none`,
  "a write behind the end leaves zeroes": `create f 0644\ntruncate f 3\nopen:a f wronly+append
    write:a x = 1\nopen:b f rdonly\nread:b 9 = \\x00\\x00\\x00x`,
  "a write by another clears suid and sgid": `create f 0644\nchmod f 6777\n@100 open:a f wronly
    @100 write:a abc = 3\nstat f = mode=0777`,
  "a write by another keeps sgid without the group's execute": `create f 0644\nchown f 0 100
    chmod f 6766\n@100 open:a f wronly\n@100 write:a abc = 3\nstat f = mode=2766`,
  "a write by the owner clears suid and sgid": `create f 0644\nchown f 100 100\nchmod f 6755
    @100 open:a f wronly\n@100 write:a abc = 3\nstat f = mode=0755`,
  "a write by root keeps suid and sgid": `create f 0644\nchmod f 6755\nopen:a f wronly
    write:a abc = 3\nstat f = mode=6755\nclose:a\nstat f = mode=6755`,
  "fallocate by another clears suid and sgid": `create f 0644\nchmod f 6777\n@100 open:a f wronly
    @100 fallocate:a 0 0 10\nstat f = mode=0777 size=10`,
  "what was read before a rename over is read on": `create f 0644\nopen:a f rdwr\nwrite:a abc = 3
    create g 0644\nopen:r f rdonly\nrename g f\nread:r 9 = abc`,
  "a larger file than allowed is EFBIG": `create f 0644\nlargest 100\nopen:a f wronly+append
    write:a {x*100} = 100\nwrite:a x = EFBIG\nftruncate:a 101 = EFBIG\ntruncate f 101 = EFBIG
    truncate f 100\nfallocate:a 0 0 101 = EFBIG`,
  "a running program is ETXTBSY to writers": `run p\nopen p wronly = ETXTBSY
    truncate p 0 = ETXTBSY\nopen p rdonly\nunlink p`,
  "a program open to write is ETXTBSY to run": `create p 0755\nopen:a p wronly
    write:a #!/bin/sh\\nexit\\_3\\n = 17\nexec p = ETXTBSY\nclose:a\nexec p = 3`,
  "a program may be run by who may not read it": `program p\nchmod p 0711\n@100 exec p = 0
    @100 open p rdonly = EACCES\nchmod p 0744\n@100 exec p = EACCES`,
  "running needs an execute bit, for root as well": `create p 0644\nopen:a p wronly
    write:a #!/bin/sh\\nexit\\_3\\n = 17\nclose:a\nexec p = EACCES\nchmod p 0010\nexec p = 3`,
};

export const OPEN_CASES: Cases = {
  ...CREATING,
  ...TRUNCATING,
  ...KINDS,
  ...UNNAMED,
  ...TRANSFER,
};

export const PERMISSION_CASES: Cases = permissionCases();
