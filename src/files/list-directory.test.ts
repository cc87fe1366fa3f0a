import test from "ava";
import { ROOT_INO } from "../domain/ids.ts";
import { memoryAccess, putText } from "../testing/files/memory-files.ts";
import { listDirectory } from "./list-directory.ts";

test("a directory is listed over all its pages, with attributes and without dots", async (t) => {
  const access = memoryAccess({ pageEntries: 3 });
  const names = Array.from({ length: 10 }, (_, at) => `file${at}`);
  for (const [at, name] of names.entries()) await putText(access, `/${name}`, "x".repeat(at));
  const found: [string, number][] = [];
  for await (const { name, attr } of listDirectory(access, ROOT_INO)) {
    found.push([name, attr.sizeBytes]);
  }
  t.deepEqual(
    found,
    names.map((name, at) => [name, at]),
  );
  t.is(access.vfs.openHandles, 0);
});

test("a listing that is left early, or told to stop, gives its handle back", async (t) => {
  const access = memoryAccess({ pageEntries: 3 });
  for (let at = 0; at < 10; at++) await putText(access, `/file${at}`, "");
  for await (const { name } of listDirectory(access, ROOT_INO)) if (name === "file4") break;
  t.is(access.vfs.openHandles, 0);

  const stop = new AbortController();
  const reason = new Error("enough");
  const seen: string[] = [];
  const told = await t.throwsAsync(async () => {
    for await (const { name } of listDirectory(access, ROOT_INO, stop.signal)) {
      seen.push(name);
      stop.abort(reason);
    }
  });
  t.is(told, reason);
  t.true(seen.length < 10);
  t.is(access.vfs.openHandles, 0);
});
