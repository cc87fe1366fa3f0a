// Disk calls are done at once while they are quick and through the thread pool after a slow one.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { DISK_SLOW_CALL_MS, DISK_SLOW_FOR_MS } from "./limits.ts";
import { systemDisk } from "../../platform/disk/system-disk.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { makeTempDir } from "../../testing/shard/shard-node.ts";
import { DiskLane } from "./disk-lane.ts";

/** A clock whose time passes only between two looks at it, as much as the test says. */
class SteppingClock extends FakeClock {
  stepMs = 0;
  #passedMs = 0;

  override monotonicMs(): number {
    this.#passedMs += this.stepMs;
    return this.#passedMs;
  }
}

test("after a slow call the thread pool is used, until the disk is quick again", async (t) => {
  const directory = await makeTempDir();
  const file = await systemDisk.open(join(directory, "file"), "create");
  const clock = new SteppingClock();
  const lane = new DiskLane(clock);
  const bytes = Buffer.from("0123456789");
  t.is(lane.write(file, bytes, 0), undefined);
  t.is(lane.read(file, Buffer.alloc(10), 0), 10);
  clock.stepMs = DISK_SLOW_CALL_MS + 1;
  t.is(lane.read(file, Buffer.alloc(10), 0), 10);
  clock.stepMs = 0;
  const target = Buffer.alloc(16);
  const reading = lane.read(file, target, 4);
  t.true(reading instanceof Promise);
  t.is(await reading, 6);
  t.is(target.toString("latin1", 0, 6), "456789");
  const writing = lane.write(file, bytes, 10);
  t.true(writing instanceof Promise);
  await writing;
  clock.stepMs = DISK_SLOW_FOR_MS + 1;
  clock.monotonicMs();
  clock.stepMs = 0;
  t.is(lane.read(file, Buffer.alloc(20), 0), 20);
  await file.close();
  await rm(directory, { recursive: true });
});
