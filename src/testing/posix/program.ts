// The program of the process that makes the system calls of the POSIX cases: one case a line in,
// one answer a line out, both JSON. Python, because its standard library has the calls and acts as
// any user.

export const POSIX_PROGRAM = String.raw`
import ctypes, errno, json, os, resource, shutil, socket, stat, struct, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, TYPES = -100, {"file": stat.S_IFREG, "fifo": stat.S_IFIFO, "char": stat.S_IFCHR,
    "block": stat.S_IFBLK, "socket": stat.S_IFSOCK, "dir": stat.S_IFDIR, "odd": 0o130000}
KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo",
    stat.S_IFCHR: "char", stat.S_IFBLK: "block", stat.S_IFSOCK: "socket"}
# One number has two names.
ERRNOS = {**errno.errorcode, errno.EOPNOTSUPP: "EOPNOTSUPP"}
NOW, OMIT = 0x3fffffff, 0x3ffffffe
ACL = "system.posix_acl_"
# Tags of ACL entries, those of named users and groups last.
TAGS = {"u": (1, 2), "g": (4, 8), "m": (16, 0), "o": (32, 0)}

class Timespec(ctypes.Structure):
    _fields_ = [("sec", ctypes.c_long), ("nsec", ctypes.c_long)]

def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "failed")
    return result

def timespec(text):
    if text == "now":
        return Timespec(0, NOW)
    if text == "omit":
        return Timespec(0, OMIT)
    if "." in text:
        return Timespec(*(int(part) for part in text.split(".")))
    return Timespec(int(text) // 10**9, int(text) % 10**9)

def flags(text):
    value = 0
    for word in text.split("+"):
        value |= getattr(os, "O_" + word.upper())
    return value

def told(st):
    return {"type": KINDS[stat.S_IFMT(st.st_mode)], "mode": "%04o" % stat.S_IMODE(st.st_mode),
        "uid": st.st_uid, "gid": st.st_gid, "nlink": st.st_nlink, "size": st.st_size,
        "ino": st.st_ino,
        "rdev": "%d,%d" % (os.major(st.st_rdev), os.minor(st.st_rdev)),
        "atime": str(st.st_atime_ns), "mtime": str(st.st_mtime_ns), "ctime": str(st.st_ctime_ns)}

def socket_at(path):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.bind(path)
    finally:
        s.close()

# u::rwx,u:100:r--,g::r-x,m::rwx,o::---
def packed(text):
    value = struct.pack("<I", 2)
    for entry in text.split(","):
        tag, who, bits = entry.split(":")
        perm = sum({"r": 4, "w": 2, "x": 1, "-": 0}[c] for c in bits)
        value += struct.pack("<HHI", TAGS[tag][who != ""], perm, int(who) if who else 0xffffffff)
    return value

def unpacked(value):
    names = {n: tag for tag, pair in TAGS.items() for n in pair if n}
    entries = []
    for tag, perm, who in struct.iter_unpack("<HHI", value[4:]):
        bits = "".join(c if perm & bit else "-" for c, bit in (("r", 4), ("w", 2), ("x", 1)))
        entries.append("%s:%s:%s" % (names[tag], who if tag in (2, 8) else "", bits))
    return ",".join(entries)

class Case:
    def __init__(self):
        self.fds, self.marks, self.programs = {}, {}, []

    def close(self):
        for fd in self.fds.values():
            os.close(fd)
        for program in self.programs:
            program.kill()
            program.wait()
        resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))

    # Paths are bytes; h is the descriptor that the call's label names.
    def call(self, op, label, a):
        b = [os.fsencode(x.encode("latin1")) for x in a]
        h = self.fds.get(label)
        if op == "create":
            os.close(os.open(b[0], os.O_CREAT | os.O_EXCL | os.O_WRONLY, int(a[1], 8)))
        elif op == "open":
            fd = os.open(b[0], flags(a[1]), int(a[2], 8) if len(a) > 2 else 0o777)
            if label is None:
                os.close(fd)
            else:
                self.fds[label] = fd
        elif op == "close":
            os.close(self.fds.pop(label))
        elif op == "write":
            return os.write(h, b[0])
        elif op == "read":
            return os.read(h, int(a[0])).decode("latin1")
        elif op == "fsync":
            os.fsync(h)
        elif op == "mkdir":
            os.mkdir(b[0], int(a[1], 8))
        elif op == "rmdir":
            os.rmdir(b[0])
        elif op == "unlink":
            os.unlink(b[0])
        elif op == "mkfifo":
            os.mkfifo(b[0], int(a[1], 8))
        elif op == "mknod":
            device = os.makedev(int(a[3]), int(a[4])) if len(a) > 4 else 0
            check(libc.mknod(b[0], TYPES[a[1]] | int(a[2], 8), ctypes.c_uint64(device)))
        elif op == "bind":
            socket_at(b[0])
        elif op == "symlink":
            os.symlink(b[0], b[1])
        elif op == "readlink":
            return os.readlink(b[0]).decode("latin1")
        elif op == "link":
            os.link(b[0], b[1], follow_symlinks=False)
        elif op == "linkfollow":
            check(libc.linkat(AT_FDCWD, b[0], AT_FDCWD, b[1], 0x400))
        elif op == "rename":
            os.rename(b[0], b[1])
        elif op == "rename2":
            check(libc.renameat2(AT_FDCWD, b[0], AT_FDCWD, b[1], int(a[2])))
        elif op == "chmod":
            os.chmod(b[0], int(a[1], 8))
        elif op == "fchmod":
            os.fchmod(h, int(a[0], 8))
        elif op == "chown":
            os.chown(b[0], int(a[1]), int(a[2]))
        elif op == "lchown":
            os.lchown(b[0], int(a[1]), int(a[2]))
        elif op == "fchown":
            os.fchown(h, int(a[0]), int(a[1]))
        elif op == "truncate":
            os.truncate(b[0], int(a[1]))
        elif op == "ftruncate":
            os.ftruncate(h, int(a[0]))
        elif op in ("utimens", "lutimens", "futimens"):
            times = (Timespec * 2)(timespec(a[-2]), timespec(a[-1]))
            if op == "futimens":
                check(libc.futimens(h, times))
            else:
                check(libc.utimensat(AT_FDCWD, b[0], times, 0x100 if op == "lutimens" else 0))
        elif op == "access":
            mode = sum({"r": os.R_OK, "w": os.W_OK, "x": os.X_OK, "f": 0}[c] for c in a[1])
            check(libc.faccessat(AT_FDCWD, b[0], mode, 0x200))
        elif op == "stat":
            return told(os.stat(b[0]))
        elif op == "lstat":
            return told(os.lstat(b[0]))
        elif op == "fstat":
            return told(os.fstat(h))
        elif op == "list":
            return " ".join(sorted(x.decode("latin1") for x in os.listdir(b[0])))
        elif op == "listfd":
            return " ".join(sorted(os.listdir(h)))
        elif op == "chdir":
            os.chdir(b[0])
        elif op == "umask":
            os.umask(int(a[0], 8))
        elif op == "mark":
            for path in b:
                self.marks[path] = told(os.lstat(path))
            time.sleep(0.011)
        elif op == "since":
            before, after = self.marks[b[0]], told(os.lstat(b[0]))
            changed = [k for k in ("atime", "mtime", "ctime") if after[k] != before[k]]
            return " ".join(changed) or "none"
        elif op == "same":
            x, y = os.lstat(b[0]), os.lstat(b[1])
            return "yes" if (x.st_ino, x.st_dev) == (y.st_ino, y.st_dev) else "no"
        elif op == "setxattr":
            os.setxattr(b[0], a[1], b[2] * int(a[3]) if len(a) > 3 else b[2], follow_symlinks=False)
        elif op == "setxattrflag":
            os.setxattr(b[0], a[1], b[2], int(a[3]), follow_symlinks=False)
        elif op == "getxattr":
            return os.getxattr(b[0], a[1], follow_symlinks=False).decode("latin1")
        elif op == "getxattrin":
            n = int(a[2])
            space = ctypes.create_string_buffer(n)
            return check(libc.getxattr(b[0], a[1].encode(), space, ctypes.c_size_t(n)))
        elif op == "listxattr":
            return " ".join(sorted(os.listxattr(b[0], follow_symlinks=False)))
        elif op == "removexattr":
            os.removexattr(b[0], a[1], follow_symlinks=False)
        elif op == "setacl":
            os.setxattr(b[0], ACL + a[1], packed(a[2]), follow_symlinks=False)
        elif op == "getacl":
            return unpacked(os.getxattr(b[0], ACL + a[1], follow_symlinks=False))
        elif op == "removeacl":
            os.removexattr(b[0], ACL + a[1], follow_symlinks=False)
        elif op == "linkfd":
            check(libc.linkat(AT_FDCWD, b"/proc/self/fd/%d" % h, AT_FDCWD, b[0], 0x400))
        elif op == "fallocate":
            offset, length = ctypes.c_int64(int(a[1])), ctypes.c_int64(int(a[2]))
            check(libc.fallocate64(h, int(a[0]), offset, length))
        elif op == "exec":
            return str(subprocess.call([b"./" + b[0]]))
        elif op == "program":
            shutil.copy("/bin/true", b[0])
        elif op == "run":
            shutil.copy("/bin/sleep", b[0])
            self.programs.append(subprocess.Popen([b"./" + b[0], "60"]))
        elif op == "largest":
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(a[0]), -1))
        else:
            raise ValueError(op)
        return None

def attempt(case, step):
    uid, gid, groups = step["as"]
    os.setgroups(groups)
    os.setegid(gid)
    os.seteuid(uid)
    try:
        return {"value": case.call(step["op"], step["label"], step["args"])}
    except OSError as e:
        return {"errno": ERRNOS.get(e.errno, str(e.errno))}
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups([])

base = os.fsencode(sys.argv[1])
for number, line in enumerate(sys.stdin):
    request = json.loads(line)
    here = os.path.join(base, b"case%d" % number) if request["fresh"] else base
    os.umask(0)
    if request["fresh"]:
        os.mkdir(here, 0o755)
    os.chdir(here)
    case = Case()
    answers = [attempt(case, step) for step in request["steps"]]
    case.close()
    print(json.dumps(answers), flush=True)
`;
