// What every call that takes a path has in common: how paths are resolved, and what search and
// write permission of directories they need. One case for each call and rule.
import type { Cases } from "./language.ts";

/** A call with PATH for its path, and what makes PATH beforehand. */
interface Call {
  readonly call: string;
  readonly setup: string;
  /** A symlink at the end of the path is followed. */
  readonly follows?: boolean;
  /** The directory's write permission is needed. */
  readonly changes?: boolean;
  /** PATH must not exist. */
  readonly makes?: boolean;
}

const FILE = "create PATH 0644";
const ATTRIBUTE = `${FILE}\nsetxattr PATH user.a 1`;

const CALLS: Readonly<Record<string, Call>> = {
  chmod: { call: "chmod PATH 0600", setup: FILE, follows: true },
  chown: { call: "chown PATH 100 100", setup: FILE, follows: true },
  lchown: { call: "lchown PATH 100 100", setup: FILE },
  truncate: { call: "truncate PATH 3", setup: FILE, follows: true },
  utimensat: { call: "utimens PATH 5 now", setup: FILE, follows: true },
  "utimensat of the link": { call: "lutimens PATH now 5", setup: FILE },
  stat: { call: "stat PATH", setup: FILE, follows: true },
  lstat: { call: "lstat PATH", setup: FILE },
  access: { call: "access PATH r", setup: FILE, follows: true },
  "open to read": { call: "open PATH rdonly", setup: FILE, follows: true },
  "open to write": { call: "open PATH wronly", setup: FILE, follows: true },
  "open to truncate": { call: "open PATH wronly+trunc", setup: FILE, follows: true },
  "list of a directory": { call: "list PATH", setup: "mkdir PATH 0755", follows: true },
  chdir: { call: "chdir PATH", setup: "mkdir PATH 0755", follows: true },
  readlink: { call: "readlink PATH", setup: "symlink x PATH" },
  getxattr: { call: "getxattr PATH user.a", setup: ATTRIBUTE },
  setxattr: { call: "setxattr PATH user.b 1", setup: FILE },
  listxattr: { call: "listxattr PATH", setup: ATTRIBUTE },
  removexattr: { call: "removexattr PATH user.a", setup: ATTRIBUTE },
  setfacl: { call: "setacl PATH access u::rw-,u:9:r--,g::r--,m::r--,o::r--", setup: FILE },
  unlink: { call: "unlink PATH", setup: FILE, changes: true },
  rmdir: { call: "rmdir PATH", setup: "mkdir PATH 0755", changes: true },
  "link from": { call: "link PATH other", setup: FILE },
  "rename from": { call: "rename PATH other", setup: FILE, changes: true },
  "rename over": { call: "rename mine PATH", setup: FILE, changes: true },
  "rename to": { call: "rename mine PATH", setup: "", makes: true },
  "link to": { call: "link mine PATH", setup: "", makes: true },
  create: { call: "create PATH 0644", setup: "", makes: true },
  mkdir: { call: "mkdir PATH 0755", setup: "", makes: true },
  mkfifo: { call: "mkfifo PATH 0644", setup: "", makes: true },
  mknod: { call: "mknod PATH file 0644", setup: "", makes: true },
  "bind of a socket": { call: "bind PATH", setup: "", makes: true },
  symlink: { call: "symlink x PATH", setup: "", makes: true },
};

/** What calls of two paths have for the other one. */
const MINE = "create mine 0644\nchown mine 100 100\n";

const at = (text: string, path: string): string => text.replaceAll("PATH", path);
const atAs = (user: string, text: string, path: string): string =>
  text === "" ? "" : at(text, path).replaceAll(/^/gm, `${user} `);

function rulesOf(name: string, { call, setup, follows, changes, makes }: Call): Cases {
  const cases: Record<string, string> = {
    "a prefix that is a file is ENOTDIR": `${at(call, "mine/x")} = ENOTDIR`,
    "a prefix that is missing is ENOENT": `${at(call, "missing/x")} = ENOENT`,
    "a prefix of symlinks in a circle is ELOOP": `symlink a b\nsymlink b a
      ${at(call, "a/x")} = ELOOP`,
    "the prefix may be a symlink": `mkdir d 0755\nsymlink d s\n${at(setup, "d/x")}
      ${at(call, "s/x")}`,
    "dots in the path are resolved": `mkdir d 0755\nmkdir d/e 0755\n${at(setup, "d/x")}
      ${at(call, "d/./e/../x")}`,
    "names of odd bytes do": `${at(setup, "\\xff\\x01\\n\\_\\xc3")}
      ${at(call, "\\xff\\x01\\n\\_\\xc3")}`,
    "without search permission it is EACCES, and with it not": `
      chmod . 0777\nmkdir d 0755\nchown d 100 100
      ${atAs("@100", setup, "d/x")}
      chmod d 0666
      @100 ${at(call, "d/x")} = EACCES
      chmod d 0755
      @100 ${at(call, "d/x")}`,
    "root needs no search permission": `mkdir d 0755\n${at(setup, "d/x")}\nchmod d 0000
      ${at(call, "d/x")}`,
  };
  // Socket addresses are at most 107 bytes long, and an empty one means something else.
  if (name !== "bind of a socket") Object.assign(cases, lengthRules(call, setup));
  if (makes === true) Object.assign(cases, vacancyRules(call, setup));
  else if (!name.endsWith("over")) {
    cases["what is missing is ENOENT"] = `${at(call, "missing")} = ENOENT`;
  }
  if (follows === true) {
    cases["a symlink to itself is ELOOP"] = `symlink s s\n${at(call, "s")} = ELOOP`;
    cases["a symlink to nothing is ENOENT"] = `symlink n s\n${at(call, "s")} = ENOENT`;
    cases["a symlink is followed"] = `${at(setup, "x")}\nsymlink x s\n${at(call, "s")}`;
    cases["forty symlinks are followed, one more is ELOOP"] = `${at(setup, "l0")}
      ${chain(41)}\n${at(call, "l41")} = ELOOP\n${at(call, "l40")}`;
  }
  if (setup.includes("create PATH")) {
    cases["a file with a slash behind it is ENOTDIR"] = `${at(setup, "x")}
      ${at(call, "x/")} = ENOTDIR`;
  }
  if (changes === true || makes === true) {
    cases["a directory that may not be written to is EACCES, then not"] = `
      chmod . 0777\nmkdir d 0755\nchown d 100 100
      ${atAs("@100", setup, "d/x")}
      chmod d 0555
      @100 ${at(call, "d/x")} = EACCES
      chmod d 0755
      @100 ${at(call, "d/x")}`;
  }
  return cases;
}

function chain(length: number): string {
  return Array.from({ length }, (_, index) => `symlink l${index} l${index + 1}`).join("\n");
}

function lengthRules(call: string, setup: string): Cases {
  return {
    "an empty path is ENOENT": `${at(call, "{x*0}")} = ENOENT`,
    "names have 255 bytes": `${at(setup, "{n*255}")}\n${at(call, "{n*255}")}`,
    "a name of 256 bytes is ENAMETOOLONG": `${at(call, "{n*256}")} = ENAMETOOLONG`,
    "a prefix of 256 bytes is ENAMETOOLONG": `${at(call, "{n*256}/x")} = ENAMETOOLONG`,
    "paths have 4,095 bytes, one of 4,096 is ENAMETOOLONG": `${at(setup, "x")}
      ${at(call, "{./*2047}/x")} = ENAMETOOLONG
      ${at(call, "{./*2047}x")}`,
  };
}

/** What exists, whatever it is, is in the way; rename replaces. */
function vacancyRules(call: string, setup: string): Cases {
  if (call.startsWith("rename")) return {};
  const occupied = call.startsWith("bind") ? "EADDRINUSE" : "EEXIST";
  const rule = (make: string): string => `${setup}\n${make}\n${at(call, "x")} = ${occupied}`;
  return {
    "a file is in the way": rule("create x 0644"),
    "a directory is in the way": rule("mkdir x 0755"),
    "a symlink to nothing is in the way": rule("symlink nothing x"),
    "a symlink to a directory is in the way": rule("mkdir d 0755\nsymlink d x"),
    "a fifo is in the way": rule("mkfifo x 0644"),
    "a socket is in the way": rule("bind x"),
    "a device is in the way": rule("mknod x char 0644 1 3"),
    "the directory itself is in the way": `${setup}\n${at(call, ".")} = ${occupied}`,
  };
}

function allRules(): Cases {
  const cases: Record<string, string> = {};
  for (const [name, call] of Object.entries(CALLS)) {
    for (const [rule, text] of Object.entries(rulesOf(name, call))) {
      cases[`${name}: ${rule}`] = MINE + text;
    }
  }
  return cases;
}

export const PATH_CASES: Cases = allRules();
