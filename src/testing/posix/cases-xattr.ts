// Extended attributes: names, sizes, flags, and whose they are (xattr(7)).
import type { Cases } from "./language.ts";

const CREATE = 1;
const REPLACE = 2;

const VALUES: Cases = {
  "a value is read as it was set": `create f 0644\nsetxattr f user.a some\\x01\\xff\\_value
    getxattr f user.a = some\\x01\\xff\\_value\nlistxattr f = user.a\nsetxattr f user.a {x*0}
    getxattr f user.a = {x*0}\nsetxattr f user.b 2\nlistxattr f = user.a user.b
    removexattr f user.a
    listxattr f = user.b\ngetxattr f user.a = ENODATA\nremovexattr f user.a = ENODATA`,
  "directories have them as well": `mkdir d 0755\nsetxattr d user.a 1\ngetxattr d user.a = 1
    listxattr d = user.a`,
  "CREATE wants a new name": `create f 0644\nsetxattrflag f user.a 1 ${CREATE}
    setxattrflag f user.a 2 ${CREATE} = EEXIST\ngetxattr f user.a = 1`,
  "REPLACE wants an old name": `create f 0644\nsetxattrflag f user.a 1 ${REPLACE} = ENODATA
    setxattr f user.a 1\nsetxattrflag f user.a 2 ${REPLACE}\ngetxattr f user.a = 2`,
  "unknown flags are EINVAL": "create f 0644\nsetxattrflag f user.a 1 8 = EINVAL",
  "a buffer too short is ERANGE": `create f 0644\nsetxattr f user.a 12345
    getxattrin f user.a 4 = ERANGE\ngetxattrin f user.a 5 = 5\ngetxattrin f user.a 0 = 5`,
  "a value beyond 64 KiB is E2BIG": "create f 0644\nsetxattr f user.a x 65537 = E2BIG",
  "a name beyond 255 bytes is ERANGE": `create f 0644\nsetxattr f user.{n*251} 1 = ERANGE
    setxattr f user.{n*250} 1\ngetxattr f user.{n*250} = 1`,
  "names without a known beginning are EOPNOTSUPP": `create f 0644
    setxattr f a 1 = EOPNOTSUPP\nsetxattr f other.a 1 = EOPNOTSUPP\ngetxattr f other.a = EOPNOTSUPP
    setxattr f user. 1 = EINVAL`,
  "a second name of the inode has the same": `create f 0644\nlink f g\nsetxattr f user.a 1
    getxattr g user.a = 1`,
  "a rename keeps them, a new file has none": `create f 0644\nsetxattr f user.a 1\nrename f g
    getxattr g user.a = 1\ncreate f 0644\nlistxattr f = {x*0}`,
  "setting and removing marks ctime alone": `create f 0644\nmark f\nsetxattr f user.a 1
    since f = ctime\nmark f\nremovexattr f user.a\nsince f = ctime\nmark f
    removexattr f user.a = ENODATA\nsetxattrflag f user.a 1 ${REPLACE} = ENODATA\nsince f = none`,
};

const OWNERS: Cases = {
  "user. needs the file's permissions": `create f 0644\nsetxattr f user.a 1
    @100 getxattr f user.a = 1
    @100 setxattr f user.a 2 = EACCES\n@100 removexattr f user.a = EACCES\nchmod f 0602
    @100 getxattr f user.a = EACCES\n@100 setxattr f user.a 2\n@100 listxattr f = user.a
    chmod f 0606\n@100 getxattr f user.a = 2\n@100 removexattr f user.a`,
  "user. asks a supplementary group, too": `create f 0660\nchown f 0 300\nsetxattr f user.a 1
    @100:100,300 getxattr f user.a = 1\n@100:100,300 setxattr f user.a 2
    @101:101 getxattr f user.a = EACCES`,
  "user. of a symlink, a fifo, a socket or a device is EPERM": `symlink a s
    setxattr s user.a 1 = EPERM
    mkfifo p 0644\nsetxattr p user.a 1 = EPERM\nbind k\nsetxattr k user.a 1 = EPERM
    mknod c char 0644 1 3\nsetxattr c user.a 1 = EPERM\ngetxattr p user.a = ENODATA`,
  "user. of a sticky directory is for its owner": `mkdir d 0755\nchown d 100 100\nchmod d 1777
    @101 setxattr d user.a 1 = EPERM\n@100 setxattr d user.a 1\n@101 removexattr d user.a = EPERM
    @101 getxattr d user.a = 1`,
  "trusted. is root's": `create f 0666\nsetxattr f trusted.a 1\ngetxattr f trusted.a = 1
    listxattr f = trusted.a\n@100 getxattr f trusted.a = ENODATA
    @100 setxattr f trusted.a 2 = EPERM
    @100 removexattr f trusted.a = EPERM\n@100 listxattr f = {x*0}`,
  "trusted. of any kind": `symlink a s\nsetxattr s trusted.a 1\ngetxattr s trusted.a = 1
    mkfifo p 0644\nsetxattr p trusted.a 1\ngetxattr p trusted.a = 1`,
  "security. is root's to set and all may read": `create f 0644\nsetxattr f security.a 1
    @100 getxattr f security.a = 1\n@100 setxattr f security.a 2 = EPERM
    @100 removexattr f security.a = EPERM`,
};

export const XATTR_CASES: Cases = { ...VALUES, ...OWNERS };
