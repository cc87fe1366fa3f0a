import test from "ava";
import { ROOT_CALLER } from "../domain/attributes.ts";
import {
  createFile,
  patternBytes,
  readAll,
  testMount,
  TINY_GEOMETRY,
} from "../testing/vfs-mount.ts";
import { O_RDWR } from "./vfs.ts";

test("a small file costs a create, one commit when it is flushed, and a release later", async (t) => {
  const { vfs, meta, blocks, clock } = await testMount();
  const { fh } = await createFile(vfs, "small");
  t.is(vfs.write(ROOT_CALLER, fh, 0, patternBytes(4096), false), 4096);
  await vfs.flush(fh);
  vfs.release(fh);
  await clock.advance(100);
  const rpcs = Object.fromEntries(meta.counts);
  t.deepEqual(rpcs, { create: 1, allocateSlices: 1, commit: 1, release: 1 });
  t.is(blocks.puts.length, 0);
});

test("what was written is read back, while dirty and after the flush and by another client", async (t) => {
  const first = await testMount({ geometry: TINY_GEOMETRY });
  const { vfs } = first;
  const data = patternBytes(1000);
  const { fh, attr } = await createFile(vfs, "file");
  await vfs.write(ROOT_CALLER, fh, 0, data, false);
  t.deepEqual(await readAll(vfs, fh), data);
  await vfs.flush(fh);
  t.deepEqual(await readAll(vfs, fh), data);
  const second = await testMount({ ...first, geometry: TINY_GEOMETRY });
  const opened = await second.vfs.open(ROOT_CALLER, attr.ino, O_RDWR);
  t.is(opened.attr.sizeBytes, 1000);
  t.deepEqual(await readAll(second.vfs, opened.fh), data);
});
