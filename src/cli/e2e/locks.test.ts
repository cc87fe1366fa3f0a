// flock and fcntl locks between programs on two mounts, as the kernel and the C library show them.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import test, { type ExecutionContext } from "ava";
import { E2eCluster, HANG_MS } from "../../testing/e2e/e2e-cluster.ts";

/**
 * Obeys lines: `flock N TYPE`, `fcntl N TYPE START LENGTH` (TYPE: sh, ex, un; a capital letter
 * first: wait), `ofd …` as fcntl, `open N FILE`, `close N`, `write N TEXT`, `read N`; answers each
 * with a line: ok, what was read, or the errno's name. SIGUSR1 interrupts a wait and is answered
 * "interrupted".
 */
const LOCKER = `
import errno, fcntl, os, signal, struct, sys
files = {}
class Interrupted(Exception): pass
def interrupt(*_): raise Interrupted()
signal.signal(signal.SIGUSR1, interrupt)
TYPES = {"sh": (fcntl.LOCK_SH, fcntl.F_RDLCK), "ex": (fcntl.LOCK_EX, fcntl.F_WRLCK),
         "un": (fcntl.LOCK_UN, fcntl.F_UNLCK)}
def obey(verb, name, *rest):
  if verb == "open": files[name] = os.open(rest[0], os.O_RDWR | os.O_CREAT)
  elif verb == "openro": files[name] = os.open(rest[0], os.O_RDONLY)
  elif verb == "close": os.close(files.pop(name))
  elif verb == "write": os.pwrite(files[name], rest[0].encode(), 0)
  elif verb == "read": return os.pread(files[name], 100, 0).decode() or "nothing"
  else:
    waits = rest[0][0].isupper()
    flock, posix = TYPES[rest[0].lower()]
    if verb == "flock": fcntl.flock(files[name], flock | (0 if waits else fcntl.LOCK_NB))
    elif verb == "fcntl":
      wait = 0 if waits or flock == fcntl.LOCK_UN else fcntl.LOCK_NB
      fcntl.lockf(files[name], flock | wait, int(rest[2]), int(rest[1]))
    else:
      lock = struct.pack("hhqqi4x", posix, 0, int(rest[1]), int(rest[2]), 0)
      fcntl.fcntl(files[name], 38 if waits else 37, lock)
  return "ok"
print("ready", flush=True)
for line in sys.stdin:
  try: answer = obey(*line.split())
  except Interrupted: answer = "interrupted"
  except OSError as error:
    answer = "EDEADLK" if error.errno == errno.EDEADLK else errno.errorcode[error.errno]
  print(answer, flush=True)
`;

class Locker {
  readonly child: ChildProcess;
  readonly #answers: string[] = [];
  #next: (() => void) | undefined;

  private constructor(t: ExecutionContext, cwd: string) {
    this.child = spawn("python3", ["-u", "-c", LOCKER], {
      cwd,
      stdio: ["pipe", "pipe", "inherit"],
    });
    t.teardown(() => this.child.kill("SIGKILL"));
    const { stdout } = this.child;
    if (stdout === null) throw new Error("no standard output");
    createInterface({ input: stdout }).on("line", (line) => {
      this.#answers.push(line);
      this.#next?.();
    });
  }

  static async start(t: ExecutionContext, cwd: string): Promise<Locker> {
    const locker = new Locker(t, cwd);
    await locker.answer();
    return locker;
  }

  async do(line: string): Promise<string> {
    this.begin(line);
    return this.answer();
  }

  begin(line: string): void {
    present(this.child.stdin).write(`${line}\n`);
  }

  async answer(): Promise<string> {
    while (this.#answers.length === 0) await new Promise<void>((resolve) => (this.#next = resolve));
    return present(this.#answers.shift());
  }

  async die(): Promise<void> {
    const exited = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await exited;
  }

  /** Until it waits in a request to the file system; the server may not have seen that yet. */
  async waits(cluster: E2eCluster): Promise<void> {
    await cluster.waitUntil("a lock to be waited for", async () => {
      return (await readFile(`/proc/${present(this.child.pid)}/wchan`, "utf8")).includes(
        "request_wait",
      );
    });
  }
}

test.serial("locks hold between two clients as between two programs on one machine", async (t) => {
  t.timeout(HANG_MS);
  const cluster = await E2eCluster.up(t, { nodes: 1 });
  const other = await cluster.mountAgain(t, "other");
  const a = await Locker.start(t, cluster.mnt);
  const b = await Locker.start(t, other);
  for (const locker of [a, b]) t.is(await locker.do("open f file"), "ok");

  t.is(await a.do("flock f ex"), "ok");
  t.is(await b.do("flock f sh"), "EAGAIN");
  b.begin("flock f Ex");
  await b.waits(cluster);
  t.is(await a.do("flock f un"), "ok");
  t.is(await b.answer(), "ok", "granted when it was unlocked");
  t.is(await b.do("close f"), "ok");
  t.is(await a.do("flock f Ex"), "ok", "a close unlocks");
  t.is(await a.do("flock f un"), "ok");
  t.is(await b.do("open f file"), "ok");

  t.is(await a.do("fcntl f ex 0 10"), "ok");
  t.is(await b.do("fcntl f ex 5 10"), "EAGAIN");
  t.is(await b.do("fcntl f ex 10 10"), "ok");
  t.is(await a.do("openro g file"), "ok");
  b.begin("fcntl f Ex 0 5");
  await b.waits(cluster);
  t.is(await a.do("close g"), "ok");
  t.is(await b.answer(), "ok", "any close by the process gives its locks up");

  a.begin("fcntl f Ex 0 5");
  await a.waits(cluster);
  a.child.kill("SIGUSR1");
  t.is(await a.answer(), "interrupted");
  t.is(await a.do("fcntl f ex 0 5"), "EAGAIN", "an interrupted wait leaves nothing behind");

  t.is(await a.do("fcntl f ex 40 10"), "ok");
  b.begin("fcntl f Ex 40 1");
  a.begin("fcntl f Ex 0 1");
  const answers = [a, b].map(async (locker) => ({ locker, answer: await locker.answer() }));
  const loser = await Promise.race(answers);
  t.is(loser.answer, "EDEADLK", "whichever of them reaches the server last");
  t.is(await loser.locker.do("fcntl f un 0 0"), "ok");
  for (const { answer, locker } of await Promise.all(answers)) {
    if (locker !== loser.locker) t.is(answer, "ok");
    t.is(await locker.do("fcntl f un 0 0"), "ok");
  }

  t.is(await b.do("open o file"), "ok");
  t.is(await b.do("ofd o ex 0 10"), "ok");
  t.is(await a.do("fcntl f ex 0 1"), "EAGAIN");
  t.is(await b.do("close o"), "ok");
  t.is(await a.do("fcntl f Ex 0 1"), "ok", "the lock of an open file goes with it");
  t.is(await a.do("fcntl f un 0 1"), "ok");

  for (let round = 0; round < 30; round += 1) {
    const [writer, reader] = round % 2 === 0 ? [a, b] : [b, a];
    t.is(await writer.do("fcntl f Ex 0 0"), "ok");
    t.is(await writer.do(`write f round-${round}-${"x".repeat(20)}`), "ok");
    t.is(await writer.do("fcntl f un 0 0"), "ok");
    t.is(await reader.do("fcntl f Sh 0 0"), "ok");
    t.is(await reader.do("read f"), `round-${round}-${"x".repeat(20)}`);
    t.is(await reader.do("fcntl f un 0 0"), "ok");
  }

  t.is(await a.do("flock f ex"), "ok");
  b.begin("flock f Ex");
  await b.waits(cluster);
  await cluster.kill("meta");
  await cluster.start("meta");
  t.is(await a.do("flock f un"), "ok");
  t.is(await b.answer(), "ok", "a restart of the server loses neither locks nor waits");
  const c = await Locker.start(t, cluster.mnt);
  t.is(await c.do("open f file"), "ok");
  t.is(await c.do("flock f ex"), "EAGAIN");
  c.begin("flock f Ex");
  await c.waits(cluster);
  await b.die();
  t.is(await c.answer(), "ok", "a program's death unlocks");
});

const COUNTER = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=100, isolation_level=None)
for i in range(int(sys.argv[2])):
  db.execute("begin immediate")
  (value,) = db.execute("select value from counter").fetchone()
  db.execute("update counter set value = ?", (value + 1,))
  db.execute("insert into log values (?, randomblob(300))", (value,))
  db.execute("commit")
`;
const CREATE = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.executescript("create table counter (value int); insert into counter values (0)")
db.executescript("create table log (value int, noise blob)")
`;
const CHECK = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
def one(query): return db.execute(query).fetchone()[0]
print(one("select value from counter"), one("select count(distinct value) from log"),
      one("pragma integrity_check"))
`;
import { present } from "../../testing/present.ts";

test.serial("sqlite counts right with writers on two clients", async (t) => {
  t.timeout(HANG_MS);
  const cluster = await E2eCluster.up(t, { nodes: 1 });
  const other = await cluster.mountAgain(t, "other");
  const python = async (script: string, ...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await cluster.run(["-c", script, ...args], {
      program: "python3",
    });
    t.is(code, 0, stderr);
    return stdout.trim();
  };
  const [here, there] = [join(cluster.mnt, "db"), join(other, "db")];
  await python(CREATE, here);
  await Promise.all([here, there, there].map((path) => python(COUNTER, path, "30")));
  t.is(await python(CHECK, here), "90 90 ok");
  t.is(await python(CHECK, there), "90 90 ok");
});
