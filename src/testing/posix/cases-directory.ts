// Sticky and setgid directories, odd names, and what listings tell.
import type { Cases } from "./language.ts";

const KINDS: Readonly<Record<string, string>> = {
  file: "create d/x 0666",
  directory: "mkdir d/x 0777",
  fifo: "mkfifo d/x 0666",
  socket: "bind d/x",
  symlink: "symlink nothing d/x",
};

/** In a directory that all may write to, with x of uid 101. */
function stickyCases(kind: string, make: string): Cases {
  const remove = kind === "directory" ? "rmdir" : "unlink";
  const begin = `mkdir d 0755\nchown d 100 100\nchmod d 1777\n@101 ${make}`;
  return {
    [`sticky: others may not remove: ${kind}`]: `${begin}\n@102 ${remove} d/x = EPERM
      @102:101 ${remove} d/x = EPERM\nlist d = x`,
    [`sticky: others may not rename: ${kind}`]: `${begin}\n@102 rename d/x d/y = EPERM\nlist d = x`,
    [`sticky: others may not replace: ${kind}`]: `${begin}\n@102 ${make.replace("d/x", "d/y")}
      @102 rename d/y d/x = EPERM\nlist d = x y`,
    [`sticky: its owner removes: ${kind}`]: `${begin}\n@101 ${remove} d/x\nlist d = {x*0}`,
    [`sticky: the directory's owner removes: ${kind}`]: `${begin}\n@100 ${remove} d/x`,
    [`sticky: root removes: ${kind}`]: `${begin}\n${remove} d/x`,
    [`sticky: without the bit anybody removes: ${kind}`]: `${begin}\nchmod d 0777
      @102 ${remove} d/x`,
    [`sticky: both owners rename: ${kind}`]: `${begin}\n@101 rename d/x d/y\n@100 rename d/y d/z
      rename d/z d/x`,
  };
}

const NAMES: Cases = {
  "names are bytes": `create \\xff\\xfe 0644\ncreate \\x80 0644\ncreate \\xc3\\x28 0644
    list . = \\x80 \\xc3\\x28 \\xff\\xfe`,
  "case and composition make different names": `create a 0644\ncreate A 0644
    create \\xc3\\xa9 0644\ncreate e\\xcc\\x81 0644\nunlink A\nstat a = type=file`,
  "names of control characters and blanks": `create \\x01\\x7f 0644\ncreate \\n 0644
    create \\_ 0644
    create * 0644\nstat \\n = type=file\nstat \\_ = type=file\nunlink \\n\nunlink \\_\nunlink *
    list . = \\x01\\x7f`,
  "names that begin with dots": `create ... 0644\ncreate .hidden 0644\ncreate ..x 0644
    list . = ... ..x .hidden`,
  "255 bytes of two-byte letters": `create {\\xc3\\xa9*127}a 0644
    stat {\\xc3\\xa9*127}a = type=file
    create {\\xc3\\xa9*128} 0644 = ENAMETOOLONG`,
  "a directory's . and .. are itself and its parent": `mkdir a 0755\nmkdir a/b 0755
    same a/b/. a/b = yes\nsame a/b/.. a = yes\nsame a/b/../.. . = yes`,
  "a tree of many levels": `mkdir {d*200} 0755\nmkdir {d*200}/{e*200} 0755
    mkdir {d*200}/{e*200}/{f*200} 0755\ncreate {d*200}/{e*200}/{f*200}/{g*200} 0644
    stat {d*200}/{e*200}/{f*200}/{g*200} = type=file`,
};

const LISTING: Cases = {
  "a listing needs read permission alone": `mkdir d 0755\ncreate d/f 0644\nchmod d 0744
    @100 list d = f\n@100 stat d/f = EACCES\nchmod d 0711\n@100 list d = EACCES\n@100 stat d/f`,
  "root lists anything": "mkdir d 0000\nlist d = {x*0}",
  "a listing of a file is ENOTDIR": "create f 0644\nlist f = ENOTDIR",
  "an open directory is read without permission": `mkdir d 0755\ncreate d/f 0644
    @100 open:a d rdonly\nchmod d 0000\n@100 listfd:a = f`,
};

export const DIRECTORY_CASES: Cases = {
  ...Object.fromEntries(
    Object.entries(KINDS).flatMap(([kind, make]) => Object.entries(stickyCases(kind, make))),
  ),
  ...NAMES,
  ...LISTING,
};
