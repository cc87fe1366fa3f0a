import { mkdtemp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { ROOT_CALLER } from "../domain/attributes.ts";
import { ROOT_INO, type Ino, type Name, type SliceId } from "../domain/ids.ts";
import { newestMap, whyReconcile } from "../meta/cluster/cluster-records.ts";
import { copiesCiteBelow, copySlice } from "../meta/copies/copy-records.ts";
import { LmdbEngine } from "../meta/engine/lmdb-engine.ts";
import { checkStore } from "../meta/fsck/check-store.ts";
import { takenBelow } from "../meta/schema/counters.ts";
import { loadSessions } from "../meta/schema/session-records.ts";
import { fatesOfSlices } from "../meta/session/slice-fates.ts";
import { AdminClient } from "../protocol/admin/admin-client.ts";
import type { MetaSession } from "../protocol/meta/meta-service.ts";
import { TestMetaServer } from "../testing/meta/meta-server.ts";
import { SYSTEM } from "../testing/system.ts";
import { checkCopy, restoreFile, saveCopy } from "./metadata-copies.ts";
import { METADATA_DIRECTORY } from "./metadata-server.ts";

const n = (name: string): Name => name as Name;

async function scratch(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dfs-copies-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function make(session: MetaSession, name: string): Promise<Ino> {
  const { ino } = await session.mknod(ROOT_CALLER, ROOT_INO, n(name), { mode: 0o644 });
  return ino;
}

function openEngine(dataDir: string): Promise<LmdbEngine> {
  return LmdbEngine.open({ directory: join(dataDir, METADATA_DIRECTORY), ...SYSTEM });
}

/** A server with a session that made a file before and one after the copy that it brings. */
async function copied(
  t: ExecutionContext,
): Promise<{ base: string; copy: string; before: Ino; after: Ino }> {
  const base = await scratch(t);
  await using server = await TestMetaServer.start({ engine: "lmdb", dataDir: join(base, "old") });
  const session = await server.connect();
  const before = await make(session, "before");
  const copy = join(base, "copy");
  await saveCopy(server.admin.metadataCopy(), copy);
  const after = await make(session, "after");
  return { base, copy, before, after };
}

test("a restored server has the copy, gives no number twice, resumes nobody", async (t) => {
  const { base, copy, before, after } = await copied(t);
  const facts = await restoreFile(copy, join(base, "new"));
  {
    await using old = await openEngine(join(base, "old"));
    await using engine = await openEngine(join(base, "new"));
    t.true(engine.read((tx) => newestMap(tx).epoch) > old.read((tx) => newestMap(tx).epoch));
    for (const counter of ["ids", "session", "slice"] as const) {
      const [then, now] = [old, engine].map((one) => one.read((tx) => takenBelow(tx, counter)));
      t.true((now ?? 0) >= (then ?? 0) + 2 ** 40, counter);
    }
    const sessions = engine.read((tx) => loadSessions(tx).map(({ record }) => record.ending));
    t.deepEqual(sessions, [true]);
    t.deepEqual(
      engine.read((tx) => [...checkStore(tx)]),
      [],
    );
    // What the old server has handed out since is nobody's, once all nodes were looked at.
    const since = (old.read((tx) => takenBelow(tx, "slice")) ?? 0) as SliceId;
    const unknown = engine.read((tx) => fatesOfSlices(tx, [since, copySlice(7, 0)], 0));
    t.deepEqual(unknown, ["orphan", "orphan"]);
    // The copy cites what was given before it, and goes by way of the trash when it is deleted.
    const given = engine.read((tx) => takenBelow(tx, "slice"));
    t.is(given, engine.read(copiesCiteBelow));
    t.regex(engine.read(whyReconcile) ?? "", /restored from a copy of 20/);
    // It is told as a rollback to where the copy was made, to who knows the one before.
    const newest = engine.incarnations.at(-1);
    t.is(newest?.beganAt, facts.position);
    t.deepEqual(engine.incarnations.slice(0, -1), facts.incarnations);
    t.false(facts.incarnations.some(({ id }) => id === newest?.id));
    t.true(engine.position > facts.position);
  }
  const options = { engine: "lmdb", dataDir: join(base, "new") } as const;
  await using server = await TestMetaServer.startAgain(options);
  const session = await server.connect();
  t.is((await session.lookup(ROOT_CALLER, ROOT_INO, n("before"))).ino, before);
  await t.throwsAsync(async () => session.lookup(ROOT_CALLER, ROOT_INO, n("after")), {
    code: "ENOENT",
  });
  t.true((await make(session, "again")) > after);
});

test("a directory with metadata, and a copy that isn't whole, are left as they were", async (t) => {
  const { base, copy } = await copied(t);
  await t.throwsAsync(restoreFile(copy, join(base, "old")), {
    code: "EEXIST",
    message: /holds metadata already, which was left as it is; name another/,
  });
  const bytes = await readFile(copy);
  bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
  await writeFile(copy, bytes);
  const target = join(base, "new");
  await mkdir(target);
  await t.throwsAsync(restoreFile(copy, target), { code: "EBADMSG", message: /another copy/ });
  t.deepEqual(await readdir(target), []);
  await t.throwsAsync(restoreFile(join(base, "none"), target), { code: "ENOENT" });
});

test("a copy that breaks off leaves the file as it was", async (t) => {
  const { base, copy } = await copied(t);
  const whole = await readFile(copy);
  async function* broken(): AsyncGenerator<Buffer> {
    yield whole.subarray(0, 100);
    await Promise.resolve();
    throw new Error("the connection is gone");
  }
  await t.throwsAsync(saveCopy(broken(), copy));
  await t.throwsAsync(saveCopy(one(whole.subarray(0, whole.length - 1)), copy), {
    code: "EBADMSG",
  });
  t.deepEqual((await readdir(base)).sort(), ["copy", "old"]);
  await checkCopy(copy);
});

async function* one(bytes: Buffer): AsyncGenerator<Buffer> {
  yield await Promise.resolve(bytes);
}

test("only an admin gets a copy, and repairs anything", async (t) => {
  await using server = await TestMetaServer.start();
  await server.admin.addUser("bob", "bobs password");
  const { token } = await server.admin.login("bob", "bobs password");
  const first = async (admin: AdminClient): Promise<void> => {
    await admin.metadataCopy().next();
  };
  await t.throwsAsync(first(new AdminClient(server.url, token)), { code: "EPERM" });
  await t.throwsAsync(first(new AdminClient(server.url)), { code: "EACCES" });
  await t.throwsAsync(new AdminClient(server.url, token).repair([]), { code: "EPERM" });
});
