import test from "ava";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { type Ino, ROOT_INO } from "../../domain/ids.ts";
import { MAX_READDIR_ENTRIES } from "../../protocol/meta/limits.ts";
import { toName } from "../../domain/name.ts";
import type { DirEntry } from "../../protocol/meta/meta-service.ts";
import { createFile, patternBytes, testMount } from "../../testing/vfs/vfs-mount.ts";
import { present } from "../../testing/present.ts";
import type { DfsVfs } from "./dfs-vfs.ts";

/** All names from `cursor` on, `step` entries of each answer used before asking again. */
async function list(vfs: DfsVfs, fh: number, cursor = 0, step = 1000): Promise<string[]> {
  const names: string[] = [];
  for (let at = cursor; ;) {
    const entries: readonly DirEntry[] = await vfs.readdir(fh, at, true);
    const used = entries.slice(0, step);
    const last = used.at(-1);
    if (last === undefined) return names;
    names.push(...used.map(({ name }) => name));
    at = last.cookie;
  }
}

async function filledDirectory(vfs: DfsVfs, count: number): Promise<{ ino: Ino; names: string[] }> {
  const { ino } = await vfs.mkdir(ROOT_CALLER, ROOT_INO, toName("dir"), 0o755);
  const names: string[] = [];
  for (let number = 0; number < count; number += 1) {
    const { fh } = await createFile(vfs, `file-${number}`, 0, ino);
    vfs.release(fh);
    names.push(`file-${number}`);
  }
  return { ino, names: names.sort() };
}

test("a directory of several pages is listed once and whole, however it is taken", async (t) => {
  const { vfs, meta } = await testMount();
  const { ino, names } = await filledDirectory(vfs, 2 * MAX_READDIR_ENTRIES + 7);
  for (const step of [1000, 100, 7]) {
    meta.counts.clear();
    const fh = await vfs.opendir(ROOT_CALLER, ino);
    const listed = await list(vfs, fh, 0, step);
    vfs.releasedir(fh);
    t.deepEqual(listed.slice(0, 2), [".", ".."]);
    t.deepEqual(listed.slice(2).sort(), names);
    t.true(present(meta.counts.get("readdir")) <= 4, `${meta.counts.get("readdir")} requests`);
  }
});

test("a directory is opened, listed and its attributes told with one request", async (t) => {
  const { vfs, meta } = await testMount();
  const { ino, names } = await filledDirectory(vfs, 7);
  meta.counts.clear();
  const fh = await vfs.opendir(ROOT_CALLER, ino);
  t.is((await list(vfs, fh)).length, names.length + 2);
  t.deepEqual(await vfs.listxattr(ROOT_CALLER, ino), []);
  vfs.releasedir(fh);
  t.deepEqual(Object.fromEntries(meta.counts), { readdir: 1 });
});

test("a directory that moves while it is open shows its new parent from then on", async (t) => {
  const { vfs } = await testMount();
  const { ino } = await filledDirectory(vfs, 0);
  const other = await vfs.mkdir(ROOT_CALLER, ROOT_INO, toName("other"), 0o755);
  const fh = await vfs.opendir(ROOT_CALLER, ino);
  await vfs.readdir(fh, 0, false);
  await vfs.rename(ROOT_CALLER, ROOT_INO, toName("dir"), other.ino, toName("dir"), 0);
  const [, dots] = await vfs.readdir(fh, 0, false);
  t.is(present(dots).ino, other.ino);
});

test("dot entries name the directory and its parent", async (t) => {
  const { vfs } = await testMount();
  const { ino } = await filledDirectory(vfs, 0);
  const fh = await vfs.opendir(ROOT_CALLER, ino);
  const entries = await vfs.readdir(fh, 0, false);
  t.deepEqual(
    entries.map(({ name, ino: of }) => [name, of]),
    [
      [".", ino],
      ["..", ROOT_INO],
    ],
  );
});

test("reading goes on after any cookie, and from the start sees what has changed", async (t) => {
  const { vfs } = await testMount();
  const { ino } = await filledDirectory(vfs, 20);
  const fh = await vfs.opendir(ROOT_CALLER, ino);
  const entries = await vfs.readdir(fh, 0, false);
  for (const [index, { cookie }] of entries.entries()) {
    const rest = entries.slice(index + 1).map(({ name }) => name as string);
    t.deepEqual(await list(vfs, fh, cookie), rest);
  }
  await vfs.unlink(ROOT_CALLER, ino, toName("file-3"));
  await createFile(vfs, "new", 0, ino);
  const again = await list(vfs, fh);
  t.false(again.includes("file-3"));
  t.true(again.includes("new"));
});

test("listed attributes show dirty data", async (t) => {
  const { vfs } = await testMount();
  const { fh } = await createFile(vfs, "file");
  await vfs.write(fh, 0, patternBytes(77), false);
  const dir = await vfs.opendir(ROOT_CALLER, ROOT_INO);
  const entries = await vfs.readdir(dir, 0, true);
  t.is(present(present(entries.find(({ name }) => name === "file")).attr).sizeBytes, 77);
});

test("a directory that may not be read doesn't open", async (t) => {
  const { vfs } = await testMount();
  const { ino } = await vfs.mkdir(ROOT_CALLER, ROOT_INO, toName("private"), 0o700);
  await t.throwsAsync(async () => vfs.opendir({ uid: 1000, gid: 1000 }, ino), { code: "EACCES" });
});
