// The machine's disk where its calls overlap.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { systemDisk } from "./system-disk.ts";

/** Far more than the thread pool runs at once. */
const WRITES = 64;

for (const how of ["close", "closeSync"] as const) {
  test(`${how} ends no call that was begun before it`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "dfs-disk-"));
    t.teardown(() => rm(directory, { recursive: true }));
    const path = join(directory, "file");
    const file = await systemDisk.open(path, "create");
    const bytes = Buffer.alloc(4096, 7);
    const writes = Array.from({ length: WRITES }, (_, i) => file.write(bytes, 0, i * bytes.length));
    const synced = file.datasync();
    const closed = file[how]();
    t.deepEqual(await Promise.all(writes), Array<number>(WRITES).fill(bytes.length));
    await Promise.all([synced, closed]);
    t.deepEqual(await systemDisk.readWhole(path), Buffer.alloc(WRITES * bytes.length, 7));
  });
}
