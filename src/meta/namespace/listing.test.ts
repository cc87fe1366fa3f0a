import test, { type ExecutionContext } from "ava";
import { SYSTEM } from "../../testing/system.ts";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { pack } from "msgpackr";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { ROOT_INO, type Ino, type Name } from "../../domain/ids.ts";
import { MAX_NAME_BYTES } from "../../domain/limits.ts";
import { MAX_READDIR_ENTRIES } from "../../protocol/meta/limits.ts";
import type { DirEntry } from "../../protocol/meta/meta-service.ts";
import { pageCodec } from "../../protocol/meta/wire-values.ts";
import { seedFromEnvironment } from "../../testing/engine/engine-conformance.ts";
import { TestNamespace } from "../../testing/engine/engine-namespace.ts";
import { LmdbEngine } from "../engine/lmdb-engine.ts";
import { MemoryEngine } from "../engine/memory-engine.ts";

const n = (name: string): Name => name as Name;

/** Lists page by page; `between` runs after each page. */
async function list(
  fs: TestNamespace,
  ino: Ino,
  limit: number,
  between: () => Promise<unknown> = () => Promise.resolve(),
): Promise<DirEntry[]> {
  const all: DirEntry[] = [];
  for (let cursor = 0, more = true; more;) {
    const page = await fs.see((ns, tx) => ns.readdir(tx, ROOT_CALLER, ino, cursor, limit, false));
    all.push(...page.entries);
    cursor = all.at(-1)?.cookie ?? 0;
    more = page.more;
    await between();
  }
  return all;
}

async function lmdb(t: ExecutionContext): Promise<LmdbEngine> {
  const directory = await mkdtemp(join(tmpdir(), "dfs-listing-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return LmdbEngine.open({ ...SYSTEM, directory, checkpointBytes: 2 * 1024 * 1024 });
}

/** A million with DFS_TEST_LONG=1. */
const MANY = process.env["DFS_TEST_LONG"] === "1" ? 1_000_000 : 100_000;

test("a directory of 100,000 entries lists whole while others come and go", async (t) => {
  t.timeout(300_000);
  await using fs = await TestNamespace.on(await lmdb(t));
  const { ino } = await fs.directory("big");
  const add = (from: number, to: number): Promise<void> =>
    fs.do((ns, tx) => {
      for (let index = from; index < to; index += 1) {
        ns.mknod(tx, ROOT_CALLER, ino, n(`e${index}`), { mode: 0o644 });
      }
    });
  for (let index = 0; index < MANY; index += 1000) await add(index, index + 1000);
  let round = 0;
  const listed = await list(fs, ino, 512, () => {
    round += 1;
    if (round > 100) return Promise.resolve();
    // One that was listed or will be goes, one comes.
    return fs.do((ns, tx) => {
      ns.unlink(tx, ROOT_CALLER, ino, n(`e${round * 991}`));
      ns.mknod(tx, ROOT_CALLER, ino, n(`new${round}`), { mode: 0o644 });
    });
  });
  const names = new Set(listed.map(({ name }) => name));
  t.is(names.size, listed.length);
  for (let index = 0; index < MANY; index += 1) {
    if (index % 991 !== 0 && !names.has(n(`e${index}`))) t.fail(`e${index} is not listed`);
  }
  t.true(names.has(n("new1")));
});

test("a page is bounded, whatever is asked for and however long the names", async (t) => {
  await using fs = await TestNamespace.on(new MemoryEngine());
  const count = 2 * MAX_READDIR_ENTRIES + 1;
  for (let index = 0; index < count; index += 1) {
    await fs.file(`${index}`.padEnd(MAX_NAME_BYTES, "\xff"));
  }
  const page = await fs.see((ns, tx) => ns.readdir(tx, ROOT_CALLER, ROOT_INO, 0, 1e9, true));
  t.is(page.entries.length, MAX_READDIR_ENTRIES);
  t.true(page.more);
  // A name of bytes above 127 takes two each on the wire.
  t.true(pack(pageCodec.pack(page)).length < MAX_READDIR_ENTRIES * (2 * MAX_NAME_BYTES + 150));
});

test("attributes come along when asked for, and the type always", async (t) => {
  await using fs = await TestNamespace.on(new MemoryEngine());
  const directory = await fs.directory("d");
  const file = await fs.file("f");
  await fs.do((ns, tx) => ns.setattr(tx, ROOT_CALLER, file.ino, { sizeBytes: 10 }, false));
  const page = (withAttrs: boolean, limit = 10): Promise<unknown> =>
    fs.see((ns, tx) => ns.readdir(tx, ROOT_CALLER, ROOT_INO, 0, limit, withAttrs));
  t.like(await page(false), {
    entries: [
      { name: n("d"), ino: directory.ino, mode: 0o040000, attr: undefined },
      { name: n("f"), ino: file.ino, mode: 0o100000, attr: undefined },
    ],
    more: false,
  });
  t.like(await page(true, 1), {
    entries: [{ name: n("d"), mode: 0o040755, attr: directory }],
    more: true,
  });
  t.like(await page(true), {
    entries: [{ name: n("d") }, { mode: 0o100644, attr: { sizeBytes: 10 } }],
  });
});

test("no entry that stays is missed or listed twice, whatever happens between pages", async (t) => {
  const change = fc.record({
    kind: fc.constantFrom("add", "remove", "rename", "exchange"),
    which: fc.nat(),
    other: fc.nat(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 40 }),
      fc.integer({ min: 1, max: 9 }),
      fc.array(fc.array(change, { maxLength: 4 }), { maxLength: 12 }),
      async (count, limit, changes) => {
        await using fs = await TestNamespace.on(new MemoryEngine());
        const names = new Set<string>();
        for (let index = 0; index < count; index += 1) {
          await fs.file(`s${index}`);
          names.add(`s${index}`);
        }
        const steady = new Set(names);
        let fresh = 0;
        const listed = await list(fs, ROOT_INO, limit, async () => {
          for (const { kind, which, other } of changes.shift() ?? []) {
            const all = [...names];
            const name = all[which % all.length];
            if (kind === "add") {
              names.add(`n${++fresh}`);
              await fs.file(`n${fresh}`);
            }
            if (name === undefined || kind === "add") continue;
            const target = kind === "exchange" ? all[other % all.length] : `n${++fresh}`;
            await fs.do((ns, tx) => {
              if (kind === "remove") ns.unlink(tx, ROOT_CALLER, ROOT_INO, n(name));
              else {
                const to = n(target ?? name);
                const flags = kind === "exchange" ? 2 : 0;
                ns.rename(tx, ROOT_CALLER, ROOT_INO, n(name), ROOT_INO, to, flags);
              }
            });
            if (kind === "exchange") continue;
            steady.delete(name);
            names.delete(name);
            if (kind === "rename" && target !== undefined) names.add(target);
          }
        });
        const times = new Map<string, number>();
        for (const { name } of listed) times.set(name, (times.get(name) ?? 0) + 1);
        for (const name of steady) t.is(times.get(name), 1);
        t.true([...times.values()].every((number) => number === 1));
        t.deepEqual(await fs.broken(), []);
      },
    ),
    { numRuns: 100, ...seedFromEnvironment() },
  );
});
