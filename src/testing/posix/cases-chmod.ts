// chmod, fchmod, and chown with its kin: who may, what it clears, what it marks.
import type { Cases } from "./language.ts";

const KINDS: Readonly<Record<string, string>> = {
  file: "create x 0644",
  directory: "mkdir x 0755",
  fifo: "mkfifo x 0644",
  "character device": "mknod x char 0644 1 3",
  "block device": "mknod x block 0644 7 0",
  socket: "bind x",
};

/** A case for each kind of file that has a mode. */
function ofEachKind(rule: string, steps: string): Cases {
  return Object.fromEntries(
    Object.entries(KINDS).map(([kind, make]) => [`${rule}: ${kind}`, `${make}\n${steps}`]),
  );
}

const MODES = ["0000", "0111", "0421", "0777", "1777", "2755", "4755", "6711", "7777"];

export const CHMOD_CASES: Cases = {
  ...ofEachKind(
    "chmod sets every bit",
    MODES.map((mode) => `chmod x ${mode}\nstat x = mode=${mode}`).join("\n"),
  ),
  ...ofEachKind("chmod marks ctime alone", "mark x\nchmod x 0600\nsince x = ctime"),
  ...ofEachKind("a refused chmod marks nothing", "mark x\n@9 chmod x 0600 = EPERM\nsince x = none"),
  ...ofEachKind("an owner may chmod", "chown x 100 100\n@100 chmod x 0641\nstat x = mode=0641"),
  "chmod of a symlink changes what it names": `create f 0644\nsymlink f s\nchmod s 0600
    stat f = mode=0600\nlstat s = type=symlink mode=0777`,
  "chmod by the owning group is EPERM": `create f 0666\nchown f 100 200
    @101:200 chmod f 0600 = EPERM\n@101:101,200 chmod f 0600 = EPERM\nstat f = mode=0666`,
  "chmod that changes nothing still marks ctime": `create f 0644\nmark f\nchmod f 0644
    since f = ctime`,
  "chmod by an owner outside the group loses setgid": `create f 0644\nchown f 100 200
    @100:100 chmod f 2755\nstat f = mode=0755`,
  "chmod by an owner in the group keeps setgid": `create f 0644\nchown f 100 200
    @100:200 chmod f 2755\nstat f = mode=2755\nchmod f 0644
    @100:100,200 chmod f 2755\nstat f = mode=2755`,
  "chmod of a directory by an owner outside the group loses setgid": `mkdir d 0755
    chown d 100 200\n@100:100 chmod d 2755\nstat d = mode=0755`,
  "chmod by root keeps setgid of any group":
    "create f 0644\nchown f 100 200\nchmod f 6755\nstat f = mode=6755",
  "anybody may make his own file sticky": `create f 0644\nchown f 100 100\n@100 chmod f 1644
    stat f = mode=1644`,
  "fchmod by a handle opened to read": `create f 0644\nopen:a f rdonly\nfchmod:a 0600
    stat f = mode=0600`,
  "fchmod of an unlinked file": `create f 0644\nopen:a f rdwr\nunlink f\nfchmod:a 4711
    fstat:a = mode=4711 nlink=0`,
  "fchmod by another is EPERM": `create f 0666\nopen:a f rdwr\n@100 fchmod:a 0600 = EPERM`,
  "chmod doesn't close what is open": `create f 0644\nopen:a f rdwr\nchmod f 0000\nwrite:a abc = 3
    chown f 100 100\n@100 open f rdonly = EACCES`,
  "chmod of one name changes the other": `create f 0644\nlink f g\nchmod g 0600
    stat f = mode=0600`,
  "chmod of the directory one is in": "mkdir d 0755\nchdir d\nchmod . 0700\nstat . = mode=0700",
  "chmod takes permission away at once": `mkdir d 0755\ncreate d/f 0644\n@100 stat d/f
    chmod d 0700\n@100 stat d/f = EACCES\nchmod d 0711\n@100 stat d/f\n@100 list d = EACCES`,
};

export const CHOWN_CASES: Cases = {
  ...ofEachKind("root gives away", "chown x 100 200\nstat x = uid=100 gid=200"),
  ...ofEachKind("lchown, too", "lchown x 100 200\nlstat x = uid=100 gid=200"),
  ...ofEachKind(
    "minus one leaves",
    "chown x 7 8\nchown x -1 9\nchown x 6 -1\nstat x = uid=6 gid=9",
  ),
  ...ofEachKind("chown marks ctime alone", "mark x\nchown x 100 200\nsince x = ctime"),
  ...ofEachKind(
    "others may not",
    `chown x 100 200\nmark x\n@101 chown x 101 101 = EPERM\n@101 chown x -1 101 = EPERM
    @101 chown x 100 200 = EPERM\n@101:200 chown x -1 200 = EPERM\nsince x = none`,
  ),
  ...ofEachKind(
    "an owner may not give away",
    "chown x 100 100\n@100 chown x 101 -1 = EPERM\n@100 chown x 101 100 = EPERM",
  ),
  ...ofEachKind(
    "an owner chooses among his groups",
    `chown x 100 100\n@100:200 chown x -1 200\nstat x = gid=200\n@100:100,300,400 chown x 100 400
    stat x = uid=100 gid=400\n@100:100,300 chown x -1 200 = EPERM\nstat x = gid=400`,
  ),
  ...ofEachKind("an owner may chown to what is", "chown x 100 200\n@100 chown x 100 200"),
  "chown of a symlink changes what it names": `create f 0644\nsymlink f s\nchown s 5 6
    stat f = uid=5 gid=6\nlstat s = uid=0 gid=0`,
  "lchown of a symlink changes itself": `create f 0644\nsymlink f s\nmark s\nlchown s 5 6
    stat f = uid=0 gid=0\nlstat s = uid=5 gid=6\nsince s = ctime`,
  "an owner's symlink can have one of his groups": `symlink f s\nlchown s 100 100
    @100:200 lchown s -1 200\nlstat s = gid=200\n@100 lchown s 101 -1 = EPERM`,
  "chown by root clears suid and sgid":
    "create f 0644\nchmod f 6755\nchown f 5 6\nstat f = mode=0755",
  "chown by an owner clears them": `create f 0644\nchown f 100 100\nchmod f 6755
    @100:200 chown f -1 200\nstat f = mode=0755`,
  "chown to what is clears them, too": `create f 0644\nchown f 100 100\nchmod f 6755
    @100 chown f 100 100\nstat f = mode=0755`,
  "chown keeps the sticky bit": "create f 0644\nchmod f 7755\nchown f 5 6\nstat f = mode=1755",
  "chown by root keeps sgid without the group's execute": `create f 0644\nchmod f 6644
    chown f 5 6\nstat f = mode=2644`,
  "chown of a directory keeps suid and sgid": `mkdir d 0755\nchmod d 6755\nchown d 5 6
    stat d = mode=6755`,
  "a refused chown keeps them": `create f 0644\nchown f 100 100\nchmod f 6755
    @100 chown f 101 101 = EPERM\nstat f = mode=6755`,
  "chown of nothing marks ctime, if anything": `create f 0644\nchown f 100 100\nchmod f 4755
    chown f -1 -1\nstat f = uid=100 gid=100`,
  "fchown by a handle": "create f 0644\nopen:a f rdonly\nfchown:a 5 6\nstat f = uid=5 gid=6",
  "fchown of an unlinked file": `create f 0644\nopen:a f rdonly\nunlink f\nfchown:a 5 6
    fstat:a = uid=5 gid=6 nlink=0`,
  "fchown by another is EPERM": "create f 0666\nopen:a f rdwr\n@100 fchown:a 100 100 = EPERM",
  "ids of 31 bits are kept":
    "create f 0644\nchown f 2147483647 2147483646\nstat f = uid=2147483647 gid=2147483646",
  "ids of 32 bits are kept":
    "create f 0644\nchown f 4294967294 4294967293\nstat f = uid=4294967294 gid=4294967293",
  "a new owner has the owner's bits": `create f 0640\n@100 open f rdonly = EACCES\nchown f 100 0
    @100 open f rdwr\nchown f 0 100\n@100 open f rdonly\n@100 open f wronly = EACCES`,
};
