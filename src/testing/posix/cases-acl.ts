// POSIX ACLs (the withdrawn POSIX.1e draft 17, as Linux has it): what they allow, how they follow
// and make the mode, and what is inherited.
import type { Cases } from "./language.ts";

/** An access list with a named user 100, a named group 300 and this mask; owner 50, group 200. */
const LISTED = (mask: string): string => `create f 0600\nchown f 50 200
  setacl f access u::rw-,u:100:rw-,g::r--,g:300:rw-,m::${mask},o::---`;

const ALLOWING: Cases = {
  "a named user has his entry's permissions": `${LISTED("rwx")}\n@100 open f rdwr
    @100 access f rw\n@100 access f x = EACCES\n@101 open f rdonly = EACCES`,
  "the mask limits named users": `${LISTED("r--")}\n@100 open f rdonly\n@100 open f wronly = EACCES
    @100 open f rdwr = EACCES`,
  "the mask limits named groups": `${LISTED("r--")}\n@101:300 open f rdonly
    @101:300 open f wronly = EACCES\n@101:101,300 open f rdonly`,
  "the mask limits the owning group": `${LISTED("-w-")}\n@101:200 open f rdonly = EACCES`,
  "the mask doesn't limit the owner": `${LISTED("---")}\n@50 open f rdwr
    @100 open f rdonly = EACCES`,
  "a named group has its entry's permissions": `${LISTED("rw-")}\n@101:300 open f rdwr
    @101:101,7,300 open f rdwr\n@101:101,7 open f rdonly = EACCES`,
  "the owning group has its own entry": `${LISTED("rw-")}\n@101:200 open f rdonly
    @101:200 open f wronly = EACCES\n@101:101,200 open f rdonly`,
  "of several groups the one that allows counts": `${LISTED("rw-")}\n@101:200,300 open f rdwr
    @101:300,200 open f rdwr`,
  "several groups don't add up": `create f 0600\nchown f 50 200
    setacl f access u::rw-,g::r--,g:300:-w-,m::rwx,o::rwx\n@101:200,300 open f rdonly
    @101:200,300 open f wronly\n@101:200,300 open f rdwr = EACCES\n@102 open f rdwr`,
  "who is in a listed group isn't one of the others": `create f 0600\nchown f 50 200
    setacl f access u::rw-,g::---,g:300:---,m::rwx,o::rwx\n@101:300 open f rdonly = EACCES
    @101:101,300 open f rdonly = EACCES\n@101:200 open f rdonly = EACCES\n@101 open f rdwr`,
  "a named user's entry outranks his groups": `create f 0600\nchown f 50 200
    setacl f access u::rw-,u:100:---,g::rw-,m::rwx,o::rwx\n@100:200 open f rdonly = EACCES
    @100 open f rdonly = EACCES\n@101:200 open f rdwr`,
  "the owner's entry outranks a named one": `create f 0600\nchown f 50 200
    setacl f access u::r--,u:50:rwx,g::rwx,m::rwx,o::rwx\n@50 open f wronly = EACCES
    @50 open f rdonly`,
  "root is bound by execute alone": `create f 0600
    setacl f access u::---,u:100:---,g::---,m::---,o::---
    open f rdwr\naccess f x = EACCES\nsetacl f access u::---,u:100:--x,g::---,m::--x,o::---
    access f x`,
  "a directory's list is asked to search, to list and to write": `mkdir d 0700\ncreate d/f 0666
    setacl d access u::rwx,u:100:--x,u:101:r--,g::---,g:300:rwx,m::rwx,o::---\n@100 open d/f rdwr
    @100 list d = EACCES\n@100 create d/g 0644 = EACCES\n@101 list d = f\n@101 stat d/f = EACCES
    @102:102,300 create d/g 0644\n@102:102,300 rename d/g d/h\n@102:102,300 unlink d/h
    @102 stat d/f = EACCES`,
  "a list that was set is asked at once": `create f 0600\nchmod f 0604\n@100 open f rdonly
    setacl f access u::rw-,u:100:---,g::---,m::rwx,o::r--\n@100 open f rdonly = EACCES
    removeacl f access\n@100 open f rdonly`,
  "truncate, utimensat and xattrs ask it": `${LISTED("rw-")}\n@100 truncate f 5
    @100 utimens f now now\n@100 setxattr f user.a 1\n@100 getxattr f user.a = 1
    @100 chmod f 0644 = EPERM\n@100 utimens f 5 6 = EPERM\n@101 setxattr f user.a 1 = EACCES`,
  "renaming, linking and removing ask the directory's list": `mkdir d 0755\nmkdir d/s 0755
    create d/f 0666\n@100 rmdir d/s = EACCES\n@100 rename d/f d/g = EACCES
    setacl d access u::rwx,u:100:rwx,g::r-x,m::rwx,o::r-x\n@100 rmdir d/s\n@100 rename d/f d/g
    @100 link d/g d/h\n@100 unlink d/g\n@100 symlink a d/s\n@100 mkfifo d/p 0644\n@100 bind d/k`,
};

const MODES: Cases = {
  "a list's mask is the mode's group": `${LISTED("r-x")}\nstat f = mode=0650\nchmod f 0640
    getacl f access = u::rw-,u:100:rw-,g::r--,g:300:rw-,m::r--,o::---`,
  "chmod changes owner, mask and others": `${LISTED("rwx")}\nchmod f 0517
    getacl f access = u::r-x,u:100:rw-,g::r--,g:300:rw-,m::--x,o::rwx\nstat f = mode=0517
    @100 open f rdonly = EACCES\nchmod f 0677\n@100 open f rdwr`,
  "chmod to no group permissions shuts all listed out": `${LISTED("rwx")}\nchmod f 0600
    @100 open f rdonly = EACCES\n@101:300 open f rdonly = EACCES\n@50 open f rdwr`,
  "setting a list changes the mode's classes, not its high bits": `create f 0644\nchmod f 6755
    setacl f access u::r--,u:100:rwx,g::---,m::-wx,o::--x\nstat f = mode=6431`,
  "a list without names is only the mode": `create f 0644\nsetacl f access u::rwx,g::r-x,o::--x
    stat f = mode=0751\nlistxattr f = {x*0}\ngetacl f access = ENODATA`,
  "a mask alone is kept": `create f 0644\nsetacl f access u::rwx,g::rwx,m::r--,o::---
    stat f = mode=0740\ngetacl f access = u::rwx,g::rwx,m::r--,o::---\nchown f 0 200
    @101:200 open f rdonly\n@101:200 open f wronly = EACCES`,
  "what is removed leaves the mode": `${LISTED("rw-")}\nremoveacl f access\nstat f = mode=0660
    getacl f access = ENODATA\n@100 open f rdonly = EACCES\n@101:200 open f rdwr`,
  "a list is listed as an attribute": `${LISTED("rw-")}\nlistxattr f = system.posix_acl_access
    mkdir d 0755\nsetacl d default u::rwx,g::r-x,o::---\nlistxattr d = system.posix_acl_default`,
  "setting and removing a list marks ctime": `create f 0644\nmark f
    setacl f access u::rw-,u:9:rwx,g::r--,m::rwx,o::---\nsince f = ctime\nmark f
    removeacl f access\nsince f = ctime`,
  "chown keeps the list": `${LISTED("rw-")}\nchown f 51 201\n@100 open f rdwr\n@51 open f rdwr
    @50 open f rdonly = EACCES\n@101:201 open f rdonly\n@101:200 open f rdonly = EACCES`,
  "fchmod changes the list as well": `${LISTED("rwx")}\nopen:a f rdonly\nfchmod:a 0640
    getacl f access = u::rw-,u:100:rw-,g::r--,g:300:rw-,m::r--,o::---`,
  "an owner outside the group loses setgid with a new list": `create f 0600\nchown f 50 200
    chmod f 2755\n@50 setacl f access u::rwx,u:9:r--,g::r-x,m::r-x,o::---\nstat f = mode=0750
    chmod f 2755\n@50:200 setacl f access u::rwx,u:9:r--,g::r-x,m::r-x,o::---\nstat f = mode=2750
    @50:50,200 setacl f access u::rwx,u:9:r--,g::r-x,m::r--,o::---\nstat f = mode=2740`,
  "removing a list keeps setgid, whatever the owner's groups": `create f 0600\nchown f 50 200
    setacl f access u::rwx,u:9:r--,g::r-x,m::r-x,o::---\nchmod f 2750\n@50 removeacl f access
    stat f = mode=2750`,
  "writing clears suid and sgid by the mask's execute": `create f 0600\nchown f 50 50
    setacl f access u::rwx,u:100:rwx,g::r--,m::rwx,o::---\nchmod f 6770\n@100 open:a f wronly
    @100 write:a abc = 3\nstat f = mode=0770\n@100 open f rdwr`,
};

const SETTING: Cases = {
  "owners and root set lists": `create f 0600\nchown f 50 50
    @50 setacl f access u::rw-,u:100:r--,g::r--,m::r--,o::---
    @100 setacl f access u::rw-,u:100:rwx,g::r--,m::rwx,o::--- = EPERM
    @100 removeacl f access = EPERM\n@100 getacl f access = u::rw-,u:100:r--,g::r--,m::r--,o::---
    @50 removeacl f access`,
  "lists that are none are EINVAL": `create f 0644\nsetacl f access u::rw-,g::r-- = EINVAL
    setacl f access u::rw-,u:5:r--,g::r--,o::--- = EINVAL
    setacl f access u::rw-,u::rw-,g::r--,o::--- = EINVAL
    setacl f access g::rw-,u::rw-,o::--- = EINVAL\nsetacl f access o::--- = EINVAL
    stat f = mode=0644`,
  "another version is EOPNOTSUPP, odd lengths are EINVAL": `create f 0644
    setxattr f system.posix_acl_access \\x01\\x00\\x00\\x00 = EOPNOTSUPP
    setxattr f system.posix_acl_access \\x02\\x00\\x00\\x00x = EINVAL
    setxattr f system.posix_acl_access \\x02 = EINVAL`,
  "default lists are for directories": `create f 0644
    setacl f default u::rw-,g::r--,o::--- = EACCES
    mkfifo p 0644\nsetacl p default u::rw-,g::r--,o::--- = EACCES`,
  "symlinks have none": `symlink a s\nsetacl s access u::rw-,g::r--,o::--- = EOPNOTSUPP
    getacl s access = EOPNOTSUPP`,
  "fifos and sockets have access lists": `mkfifo p 0600
    setacl p access u::rw-,u:100:rw-,g::---,m::rw-,o::---
    @100 open p rdwr+nonblock\n@101 open p rdwr+nonblock = EACCES`,
  "removing what isn't there does no harm":
    "create f 0644\nremoveacl f access\nmkdir d 0755\nremoveacl d default",
  "a default list doesn't change its directory": `mkdir d 0750
    setacl d default u::rwx,u:100:rwx,g::rwx,m::rwx,o::rwx\nstat d = mode=0750\n@100 list d = EACCES
    @100 stat d/x = EACCES`,
};

/** A directory that all may write to, with a default list. */
const DEFAULTED = `mkdir d 0777
  setacl d default u::rwx,u:100:rwx,g::r-x,g:300:rw-,m::rwx,o::r--`;

const INHERITING: Cases = {
  "a new file gets the default list, cut by its mode": `${DEFAULTED}\ncreate d/f 0640
    getacl d/f access = u::rw-,u:100:rwx,g::r-x,g:300:rw-,m::r--,o::---\nstat d/f = mode=0640
    getacl d/f default = ENODATA\n@100 open d/f rdonly\n@100 open d/f wronly = EACCES`,
  "a new directory gets both": `${DEFAULTED}\nmkdir d/e 0770
    getacl d/e access = u::rwx,u:100:rwx,g::r-x,g:300:rw-,m::rwx,o::---
    getacl d/e default = u::rwx,u:100:rwx,g::r-x,g:300:rw-,m::rwx,o::r--\nmkdir d/e/f 0755
    getacl d/e/f default = u::rwx,u:100:rwx,g::r-x,g:300:rw-,m::rwx,o::r--\nstat d/e/f = mode=0754`,
  "a default list sets the umask aside": `${DEFAULTED}\numask 077\ncreate d/f 0666
    stat d/f = mode=0664\nmkdir d/e 0777\nstat d/e = mode=0774\nmkfifo d/p 0666
    stat d/p = mode=0664
    mknod d/n file 0666\nstat d/n = mode=0664\nopen d/o wronly+creat 0666\nstat d/o = mode=0664
    bind d/k\nstat d/k = mode=0700\ncreate f 0666\nstat f = mode=0600`,
  "a default list without names gives modes alone": `mkdir d 0777
    setacl d default u::rw-,g::r--,o::---\numask 000\ncreate d/f 0777\nstat d/f = mode=0640
    listxattr d/f = {x*0}\nmkdir d/e 0777\nstat d/e = mode=0640
    getacl d/e default = u::rw-,g::r--,o::---`,
  "symlinks inherit nothing": `${DEFAULTED}\nsymlink a d/s\nlstat d/s = mode=0777
    listxattr d/s = {x*0}`,
  "names that are moved in inherit nothing": `${DEFAULTED}\ncreate f 0644\nrename f d/f
    listxattr d/f = {x*0}\ncreate g 0600\nlink g d/g\nlistxattr d/g = {x*0}`,
  "tmpfile inherits": `${DEFAULTED}\numask 077\nopen:a d rdwr+tmpfile 0666\nlinkfd:a d/t
    stat d/t = mode=0664`,
  "with setgid both are inherited": `${DEFAULTED}\nchown d 0 300\nchmod d 2777\n@101 mkdir d/e 0770
    stat d/e = mode=2770 gid=300`,
  "a removed default list is inherited no more": `${DEFAULTED}\nremoveacl d default\numask 022
    create d/f 0666\nstat d/f = mode=0644\nlistxattr d/f = {x*0}`,
};

export const ACL_CASES: Cases = { ...ALLOWING, ...MODES, ...SETTING, ...INHERITING };
