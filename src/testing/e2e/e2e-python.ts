// System calls that Node has no function for, made by a Python program in a directory; it tells
// what each gave: an errno's name, or its result.
import { runDfs } from "./run-dfs.ts";

/** A program that takes longer hangs. */
const PYTHON_TIMEOUT_MS = 300_000;

/**
 * What all programs begin with; `say(name, function, arguments…)` notes a result, `tell` a value.
 */
const PROLOGUE = `
import ctypes, errno, fcntl, json, os, resource, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
i64, results, AT, places = ctypes.c_int64, {}, -100, sys.argv[1:]
RW = os.O_RDWR | os.O_CREAT
def check(result):
    if result < 0: raise OSError(ctypes.get_errno(), "failed")
    return result
def fallocate(fd, mode, at, size): return check(libc.fallocate64(fd, mode, i64(at), i64(size)))
def renameat2(a, b, flags): return check(libc.renameat2(AT, a.encode(), AT, b.encode(), flags))
def linkat(path, new, flags=0x400):
    return check(libc.linkat(AT, path.encode(), AT, new.encode(), flags))
def linkfd(fd, new): return check(libc.linkat(fd, b"", AT, new.encode(), 0x1000))
def tell(name, value): results[name] = value
def seconds_since(began): return round(time.monotonic() - began, 3)
def say(name, f, *args):
    try: value = f(*args)
    except OSError as e: value = errno.errorcode[e.errno]
    results[name] = value.decode("latin1") if isinstance(value, bytes) else value
def size(fd): return os.fstat(fd).st_size
os.chdir(sys.argv[1])
`;

/**
 * Runs the program in the first directory; `places` are all of them. @throws Error when it fails
 */
export function runPython(
  program: string,
  ...directories: readonly string[]
): Promise<Record<string, unknown>> {
  return runLongPython(PYTHON_TIMEOUT_MS, program, ...directories);
}

/** As runPython, for as long as it is told to wait. */
export async function runLongPython(
  timeoutMs: number,
  program: string,
  ...directories: readonly string[]
): Promise<Record<string, unknown>> {
  const script = `${PROLOGUE}${program}\nprint(json.dumps(results))`;
  const { code, stdout, stderr } = await runDfs(["-c", script, ...directories], {
    program: "python3",
    timeoutMs,
  });
  if (code !== 0) throw new Error(`exit code ${code ?? "none"}: ${stderr}`);
  return JSON.parse(stdout) as Record<string, unknown>;
}
