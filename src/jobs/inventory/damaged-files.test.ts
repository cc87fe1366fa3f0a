import test from "ava";
import type { SliceId } from "../../domain/ids.ts";
import { MemoryEngine } from "../../meta/engine/memory-engine.ts";
import { TestNamespace } from "../../testing/engine/engine-namespace.ts";
import { present } from "../../testing/present.ts";
import { filesOf } from "./damaged-files.ts";

test("damaged files are counted, and the first thousand of them named", async (t) => {
  const fs = await TestNamespace.on(new MemoryEngine());
  const parent = (await fs.directory("dir")).ino;
  const slices = new Set<SliceId>();
  for (let at = 0; at < 1003; at += 1) {
    const { ino } = await fs.file(`file-${at}`, { parent });
    const extent = fs.extent(0, 70_000);
    await fs.commit(ino, [extent]);
    if (at > 0) slices.add(extent.slice);
  }
  const { count, files } = await fs.see((_ns, tx) => filesOf(tx, slices));
  t.is(count, 1002);
  t.is(files.length, 1000);
  t.is(present(files[0]).path, "/dir/file-1");
  t.deepEqual(await fs.see((_ns, tx) => filesOf(tx, new Set())), { count: 0, files: [] });
});
