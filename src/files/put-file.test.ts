import test, { type ExecutionContext } from "ava";
import type { FsError } from "../domain/errno.ts";
import { ROOT_INO } from "../domain/ids.ts";
import { toName } from "../domain/name.ts";
import { find, memoryAccess, piecesOf, putText, readText } from "../testing/files/memory-files.ts";
import type { FileAccess } from "./file-access.ts";
import { listDirectory } from "./list-directory.ts";
import { putFile } from "./put-file.ts";

const TARGET = { parent: ROOT_INO, name: toName("file"), mode: 0o640 };
const UNSEEN = { advance: () => undefined };

async function namesIn(access: FileAccess): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of listDirectory(access, ROOT_INO)) names.push(name);
  return names;
}

/** A failed put leaves the old file and nothing beside it. */
async function assertOldStands(
  t: ExecutionContext,
  access: ReturnType<typeof memoryAccess>,
): Promise<void> {
  t.deepEqual(await namesIn(access), ["file"]);
  t.is(await readText(access, "/file"), "old");
  t.is(access.vfs.openHandles, 0);
}

test("a stream becomes a file with its bytes, mode and time, and progress is told", async (t) => {
  const access = memoryAccess();
  const told: number[] = [];
  const progress = { advance: (bytes: number) => void told.push(bytes) };
  const target = { ...TARGET, mtime: { sec: 1_600_000_000, nsec: 7 } };
  t.is(await putFile(access, piecesOf("one", "", "three"), target, progress), 8);
  t.deepEqual(told, [3, 0, 5]);
  t.is(await readText(access, "/file"), "onethree");
  const attr = await find(access, "/file");
  t.is(attr.mode & 0o7777, 0o640);
  t.deepEqual([attr.mtimeSec, attr.mtimeNsec], [1_600_000_000, 7]);
  t.deepEqual(await namesIn(access), ["file"]);
  t.is(access.vfs.openHandles, 0);
});

test("the name shows the old file until the new one is whole", async (t) => {
  const access = memoryAccess();
  await putText(access, "/file", "old");
  const seen: string[] = [];
  async function* source(): AsyncGenerator<Uint8Array> {
    for (const text of ["new ", "bytes"]) {
      yield Buffer.from(text);
      seen.push(await readText(access, "/file"));
    }
  }
  await putFile(access, source(), TARGET, UNSEEN);
  t.deepEqual(seen, ["old", "old"]);
  t.is(await readText(access, "/file"), "new bytes");
});

test("a source that fails leaves nothing but the old file", async (t) => {
  const access = memoryAccess();
  await putText(access, "/file", "old");
  const failure = new Error("source is gone");
  async function* source(): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(Buffer.from("half"));
    throw failure;
  }
  t.is(await t.throwsAsync(putFile(access, source(), TARGET, UNSEEN)), failure);
  await assertOldStands(t, access);
});

test("a put that is stopped leaves the old file alone and tells the reason", async (t) => {
  const access = memoryAccess();
  await putText(access, "/file", "old");
  const stop = new AbortController();
  const reason = new Error("enough");
  const progress = { advance: () => stop.abort(reason) };
  const stopped = putFile(access, piecesOf("a", "b"), TARGET, progress, stop.signal);
  t.is(await t.throwsAsync(stopped), reason);
  await assertOldStands(t, access);
});

test("a name that is a directory's is refused, and nothing stays behind", async (t) => {
  const access = memoryAccess();
  access.vfs.mkdir(access.caller, ROOT_INO, toName("file"), 0o755);
  const refused = putFile(access, piecesOf("a"), TARGET, UNSEEN);
  await t.throwsAsync<FsError>(refused, { code: "EISDIR" });
  t.deepEqual(await namesIn(access), ["file"]);
});
