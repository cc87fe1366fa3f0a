// The program of the process that touches files for fsx: one request a line, `operation file
// numbers… payload-length`, then the payload; one answer each, `value payload-length`, then the
// payload. A value that is no number is an errno. Python, because its standard library has all the
// calls.

export const FSX_PROGRAM = `
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_int64]
libc.msync.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
PROT_READ_WRITE, MAP_SHARED, MS_SYNC, MAP_FAILED = 3, 1, 4, 2 ** 64 - 1
inp, out = sys.stdin.buffer, sys.stdout.buffer
files = {}

class File:
    def __init__(self, path, flags, base, window):
        self.fd = os.open(path, flags, 0o644)
        self.base, self.window, self.map = base, window, None
    # Not the mmap module, which refuses to map what lies behind the end of the file.
    def mapped(self):
        if self.map is None:
            at = libc.mmap(None, self.window, PROT_READ_WRITE, MAP_SHARED, self.fd, self.base)
            check(0 if at != MAP_FAILED else -1)
            self.address = at
            self.map = memoryview((ctypes.c_char * self.window).from_address(at)).cast("B")
        return self.map
    def msync(self):
        if self.map is not None:
            check(libc.msync(self.address, self.window, MS_SYNC))
    def close(self):
        if self.map is not None:
            check(libc.munmap(self.address, self.window))
        os.close(self.fd)

def check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), "failed")

def write_all(fd, data, at):
    while data:
        n = os.pwrite(fd, data, at)
        data, at = data[n:], at + n

def read_all(fd, size, at):
    parts = []
    while size > 0:
        part = os.pread(fd, size, at)
        if not part:
            break
        parts.append(part)
        size, at = size - len(part), at + len(part)
    return b"".join(parts)

def fallocate(fd, mode, at, size):
    check(libc.fallocate64(fd, mode, ctypes.c_int64(at), ctypes.c_int64(size)))

def copy(source, target, source_at, target_at, size):
    done = 0
    while done < size:
        n = os.copy_file_range(source, target, size - done, source_at + done, target_at + done)
        if n == 0:
            break
        done += n
    return done

def run(op, name, args, data):
    if op == "open":
        flags, base, window = args
        files[name] = File(data.decode(), flags, base, window)
        return 0, b""
    f = files[name]
    if op == "close":
        del files[name]
        f.close()
    elif op == "read":
        return 0, read_all(f.fd, args[1], args[0])
    elif op == "write":
        write_all(f.fd, data, args[0])
    elif op == "mapread":
        at = args[0] - f.base
        return 0, bytes(f.mapped()[at:at + args[1]])
    elif op == "mapwrite":
        at = args[0] - f.base
        f.mapped()[at:at + len(data)] = data
    elif op == "msync":
        f.msync()
    elif op == "truncate":
        os.ftruncate(f.fd, args[0])
    elif op == "fallocate":
        fallocate(f.fd, *args)
    elif op == "copy":
        return copy(f.fd, files[str(args[0])].fd, *args[1:]), b""
    elif op == "fsync":
        os.fsync(f.fd)
    elif op == "fdatasync":
        os.fdatasync(f.fd)
    elif op == "drop":
        os.posix_fadvise(f.fd, 0, 0, os.POSIX_FADV_DONTNEED)
    elif op == "data":
        return os.lseek(f.fd, args[0], os.SEEK_DATA), b""
    elif op == "hole":
        return os.lseek(f.fd, args[0], os.SEEK_HOLE), b""
    elif op == "size":
        return os.fstat(f.fd).st_size, b""
    else:
        raise ValueError(op)
    return 0, b""

while True:
    line = inp.readline()
    if not line:
        break
    op, name, *numbers = line.decode().split()
    args = [int(n) for n in numbers]
    data = inp.read(args.pop())
    try:
        value, reply = run(op, name, args, data)
    except OSError as e:
        value, reply = errno.errorcode.get(e.errno, str(e)), b""
    out.write(b"%s %d\\n" % (str(value).encode(), len(reply)))
    out.write(reply)
    out.flush()
`;
