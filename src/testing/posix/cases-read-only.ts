// A read-only mount: what changes anything is EROFS, all else goes on. All in one directory that
// has `file`, `directory` and `symlink`.
import type { Cases } from "./language.ts";

/** To be run where one may write, before the read-only mount is looked at. */
export const READ_ONLY_PREPARATION: Cases = {
  preparation: `chmod . 0777\ncreate file 0666\nmkdir directory 0777\nsymlink file symlink
    mkfifo fifo 0666
    setxattr file user.a 1`,
};

const REFUSED: readonly string[] = [
  "create new 0644",
  "open new wronly+creat",
  "open file wronly",
  "open file rdwr",
  "open file wronly+append",
  "open file wronly+trunc",
  "open file rdonly+trunc",
  "open . rdwr+tmpfile",
  "mkdir new 0755",
  "mkfifo new 0644",
  "mknod new file 0644",
  "bind new",
  "symlink a new",
  "link file new",
  "unlink file",
  "rmdir directory",
  "rename file new",
  "rename directory directory/new",
  "rename2 file directory 2",
  "chmod file 0600",
  "chmod directory 0700",
  "chown file 5 6",
  "lchown symlink 5 6",
  "truncate file 0",
  "utimens file now now",
  "utimens file 5 6",
  "lutimens symlink 5 6",
  "setxattr file user.b 1",
  "removexattr file user.a",
  "setacl file access u::rw-,u:5:r--,g::r--,m::r--,o::r--",
  "setacl directory default u::rw-,g::r--,o::r--",
  "access file w",
  "access directory w",
];

const ALLOWED: readonly string[] = [
  "open file rdonly",
  "open file rdonly+creat",
  "list directory",
  "stat file",
  "readlink symlink = file",
  "getxattr file user.a = 1",
  "listxattr file = user.a",
  "access file r",
  "access fifo rw",
  "open fifo rdwr+nonblock",
  "stat none = ENOENT",
  "create file 0644 = EEXIST",
  "mkdir directory 0755 = EEXIST",
  "list . = directory fifo file symlink",
];

const expectEach = (who: string, calls: readonly string[], expected: string): Cases =>
  Object.fromEntries(
    calls.map((call) => [`read-only${who}: ${call}`, `${who} ${call}${expected}`]),
  );

export const READ_ONLY_CASES: Cases = {
  ...expectEach("", REFUSED, " = EROFS"),
  ...expectEach("@100", REFUSED, " = EROFS"),
  ...expectEach("", ALLOWED, ""),
};
