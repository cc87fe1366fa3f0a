import test from "ava";
import { find, memoryAccess, putText, readText } from "../testing/files/memory-files.ts";
import { readFile } from "./read-file.ts";

test("a file comes whole and in order, in whatever pieces it is read", async (t) => {
  const access = memoryAccess({ pieceBytes: 7 });
  const text = Array.from({ length: 100 }, (_, at) => `line ${at}`).join("\n");
  await putText(access, "/file", text);
  await putText(access, "/empty", "");
  t.is(await readText(access, "/file"), text);
  t.is(await readText(access, "/empty"), "");
  t.is(access.vfs.openHandles, 0);
});

test("a reader that leaves early, or is told to stop, gives its handle back", async (t) => {
  const access = memoryAccess({ pieceBytes: 7 });
  await putText(access, "/file", "x".repeat(100));
  const { ino } = await find(access, "/file");
  const pieces = readFile(access, ino);
  t.is((await pieces.next()).done, false);
  await pieces.return();
  t.is(access.vfs.openHandles, 0);

  const reason = new Error("enough");
  const stopped = readFile(access, ino, AbortSignal.abort(reason));
  t.is(await t.throwsAsync(stopped.next()), reason);
  t.is(access.vfs.openHandles, 0);
});
