// The program of the process that carries out the model's steps in a directory: JSON lines in and
// out. Python, because its standard library has the calls. Two requests more than steps: `root`
// says which directory the paths start at, `forget` closes all files whatever comes of it.

export const DIRECTORY_PROGRAM = String.raw`
import ctypes, errno, hashlib, json, os, socket, stat, sys
libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, AT_SYMLINK_FOLLOW = -100, 0x400
TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink",
    stat.S_IFSOCK: "socket"}
files, root, windows = {}, None, None

def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "failed")

def told(st):
    kind = TYPES[stat.S_IFMT(st.st_mode)]
    mtime = int(st.st_mtime)
    return {"type": kind, "mode": stat.S_IMODE(st.st_mode), "nlink": st.st_nlink,
        "size": st.st_size, "uid": st.st_uid, "gid": st.st_gid, "mtime": mtime}

def read_windows(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        parts = [os.pread(fd, windows["bytes"], base) for base in windows["bases"]]
        return os.fstat(fd).st_size, parts
    finally:
        os.close(fd)

def dump():
    entries, first = {}, {}
    def visit(directory, prefix):
        for name in sorted(os.listdir(directory)):
            path, key = os.path.join(directory, name), prefix + name
            st = os.lstat(path)
            entry = told(st)
            entry["same"] = first.setdefault(st.st_ino, key)
            if entry["type"] == "symlink":
                entry["target"] = os.readlink(path)
            names = [n for n in os.listxattr(path, follow_symlinks=False) if n.startswith("user.")]
            entry["xattrs"] = {}
            for n in sorted(names):
                value = os.getxattr(path, n, follow_symlinks=False)
                entry["xattrs"][n] = value.decode("latin1")
            if entry["type"] == "file":
                size, parts = read_windows(path)
                if size != st.st_size:
                    told_sizes = (key, st.st_size, size)
                    raise RuntimeError("%s: %d bytes by path, %d when open" % told_sizes)
                entry["content"] = [hashlib.sha1(part).hexdigest() for part in parts]
            entries[key] = entry
            if entry["type"] == "dir":
                visit(path, key + "/")
    visit(root, "")
    return entries

def handle_step(op, s):
    slot = s["slot"]
    if op == "open":
        fd = os.open(os.path.join(root, s["path"]), s["flags"], s["mode"])
        files[slot] = fd
        return None
    if op == "tmpfile":
        files[slot] = os.open(os.path.join(root, s["path"]), os.O_TMPFILE | os.O_RDWR, s["mode"])
        return None
    fd = files[slot]
    if op == "close":
        del files[slot]
        os.close(fd)
    elif op == "fsync":
        os.fsync(fd)
    elif op == "fdatasync":
        os.fdatasync(fd)
    elif op == "fstat":
        return told(os.fstat(fd))
    elif op == "fchmod":
        os.fchmod(fd, s["mode"])
    elif op == "futimens":
        os.utime(fd, (s["sec"], s["sec"]))
    elif op == "linkfd":
        source = b"/proc/self/fd/%d" % fd
        target = os.fsencode(os.path.join(root, s["path"]))
        check(libc.linkat(AT_FDCWD, source, AT_FDCWD, target, AT_SYMLINK_FOLLOW))
    elif op == "read":
        return os.pread(fd, s["length"], s["offset"]).decode("latin1")
    elif op == "write":
        return os.pwrite(fd, s["data"].encode("latin1"), s["offset"])
    elif op == "ftruncate":
        os.ftruncate(fd, s["size"])
    elif op == "fallocate":
        offset, length = ctypes.c_int64(s["offset"]), ctypes.c_int64(s["length"])
        check(libc.fallocate64(fd, s["mode"], offset, length))
    elif op == "copy":
        return os.copy_file_range(fd, files[s["to"]], s["length"], s["offset"], s["toOffset"])
    else:
        raise ValueError(op)
    return None

def path_step(op, s):
    path = os.path.join(root, s["path"])
    if op == "mkdir":
        os.mkdir(path, s["mode"])
    elif op == "socket":
        os.mknod(path, stat.S_IFSOCK | s["mode"])
    elif op == "symlink":
        os.symlink(s["target"], path)
    elif op == "link":
        os.link(os.path.join(root, s["from"]), path, follow_symlinks=False)
    elif op == "unlink":
        os.unlink(path)
    elif op == "rmdir":
        os.rmdir(path)
    elif op == "rename":
        source = os.fsencode(os.path.join(root, s["from"]))
        check(libc.renameat2(AT_FDCWD, source, AT_FDCWD, os.fsencode(path), s["flags"]))
    elif op == "chmod":
        os.chmod(path, s["mode"])
    elif op == "chown":
        os.chown(path, s["uid"], s["gid"])
    elif op == "utimens":
        os.utime(path, (s["sec"], s["sec"]))
    elif op == "truncate":
        os.truncate(path, s["size"])
    elif op == "stat":
        return told(os.stat(path))
    elif op == "lstat":
        return told(os.lstat(path))
    elif op == "readlink":
        return os.readlink(path)
    elif op == "list":
        return sorted(os.listdir(path))
    elif op == "setxattr":
        os.setxattr(path, s["name"], s["value"].encode("latin1"), s["flags"])
    elif op == "getxattr":
        return os.getxattr(path, s["name"]).decode("latin1")
    elif op == "listxattr":
        return sorted(n for n in os.listxattr(path) if n.startswith("user."))
    elif op == "removexattr":
        os.removexattr(path, s["name"])
    elif op == "content":
        size, parts = read_windows(path)
        return {"size": size, "windows": [part.decode("latin1") for part in parts]}
    else:
        raise ValueError(op)
    return None

def forget():
    for fd in files.values():
        try:
            os.close(fd)
        except OSError:
            pass
    files.clear()

def run(s):
    global root, windows
    op = s["op"]
    if op == "root":
        root, windows = s["path"], s["windows"]
        if s["make"]:
            os.mkdir(root, 0o755)
        return None
    if op == "forget":
        return forget()
    if op == "dump":
        return dump()
    return handle_step(op, s) if "slot" in s else path_step(op, s)

os.umask(0)
for line in sys.stdin:
    try:
        answer = {"value": run(json.loads(line))}
    except OSError as e:
        answer = {"errno": errno.errorcode.get(e.errno, str(e.errno))}
    print(json.dumps(answer), flush=True)
`;
