import test from "ava";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { ROOT_INO, type Ino } from "../../domain/ids.ts";
import { toName } from "../../domain/name.ts";
import { silentLog } from "../../observability/log.ts";
import { deferred } from "../../platform/flow/deferred.ts";
import type { MetaSession } from "../../protocol/meta/meta-service.ts";
import { RollbackWorld, type WorldClient } from "../../testing/meta/rollback-world.ts";
import { present } from "../../testing/present.ts";
import { MemoryBlockStore } from "../../testing/vfs/block-memory.ts";
import { createFile, readAll } from "../../testing/vfs/vfs-mount.ts";
import { O_RDWR } from "../vfs.ts";
import { DfsVfs } from "./dfs-vfs.ts";
import { MAX_REOPENS_IN_FLIGHT } from "./limits.ts";

const root = ROOT_CALLER;
const n = toName;

interface Mount extends WorldClient {
  readonly vfs: DfsVfs;
}

async function mounts(world: RollbackWorld): Promise<[Mount, Mount]> {
  const blocks = new MemoryBlockStore();
  const mount = async (): Promise<Mount> => {
    const client = await world.connect();
    const { clock } = world;
    return { ...client, vfs: new DfsVfs({ meta: client.session, blocks, clock, log: silentLog }) };
  };
  return [await mount(), await mount()];
}

/** `away` comes back when the window is over. */
async function cutWhileAway(world: RollbackWorld, away: WorldClient): Promise<void> {
  away.line.up = false;
  world.cut();
  await world.restart();
}

async function write(
  world: RollbackWorld,
  { vfs }: Mount,
  fh: number,
  text: string,
): Promise<void> {
  await vfs.write(fh, 0, Buffer.from(text), false);
  await world.wait(Promise.resolve(vfs.flush(fh)));
}

test("an open file is used after a power cut as if there had been none", async (t) => {
  await using world = await RollbackWorld.start();
  const [a, b] = await mounts(world);
  const { fh, attr } = await world.wait(createFile(a.vfs, "f"));
  await write(world, a, fh, "before");
  world.cut();
  await world.restart();
  t.is(String(await world.wait(readAll(a.vfs, fh))), "before");
  await write(world, a, fh, "after!");
  await world.wait(a.vfs.fsync(fh));
  // Nobody but the server knows of it any more.
  await cutWhileAway(world, a);
  const opened = await world.wait(b.vfs.open(root, attr.ino, 0));
  t.is(String(await world.wait(readAll(b.vfs, opened.fh))), "after!");
});

test("fsync of a file that a power cut took is EIO, and nothing else works either", async (t) => {
  await using world = await RollbackWorld.start();
  const [a, b] = await mounts(world);
  const { ino: dir } = await world.wait(b.vfs.mkdir(root, ROOT_INO, n("dir"), 0o755));
  const { fh, attr } = await world.wait(createFile(a.vfs, "f", O_RDWR, dir));
  await cutWhileAway(world, b);
  await t.throwsAsync(world.wait(a.vfs.fsync(fh)), { code: "EIO" });
  t.throws(() => a.vfs.read(fh, 0, 10), { code: "EIO" });
  t.throws(() => a.vfs.write(fh, 0, Buffer.from("x"), false), { code: "EIO" });
  const other = await world.wait(createFile(a.vfs, "other"));
  t.not(other.attr.ino, attr.ino);
  await world.wait(a.vfs.fsync(other.fh));
});

test("an fsync that was under way at the cut is EIO for a file that is gone", async (t) => {
  await using world = await RollbackWorld.start();
  const [a, b] = await mounts(world);
  const { ino: dir } = await world.wait(b.vfs.mkdir(root, ROOT_INO, n("dir"), 0o755));
  const { fh } = await world.wait(createFile(a.vfs, "f", O_RDWR, dir));
  const syncing = t.throwsAsync(a.vfs.fsync(fh), { code: "EIO" });
  await cutWhileAway(world, b);
  await world.wait(syncing);
});

test("changes by others that are gone are told once to who has it open", async (t) => {
  await using world = await RollbackWorld.start();
  const [a, b] = await mounts(world);
  const { fh, attr } = await world.wait(createFile(a.vfs, "f"));
  await world.wait(a.vfs.fsync(fh));
  const theirs = await world.wait(b.vfs.open(root, attr.ino, O_RDWR));
  await write(world, b, theirs.fh, "old");
  await world.wait(b.vfs.fsync(theirs.fh));
  await world.wait(world.clock.sleep(10));
  await write(world, b, theirs.fh, "newer!");
  const seen = await world.wait(a.vfs.open(root, attr.ino, 0));
  t.is(seen.attr.sizeBytes, 6);
  await cutWhileAway(world, b);
  await t.throwsAsync(world.wait(a.vfs.fsync(fh)), { code: "EIO" });
  await world.wait(a.vfs.fsync(fh));
  t.is(String(await world.wait(readAll(a.vfs, fh))), "old");
});

async function loseRename(world: RollbackWorld, a: Mount, b: Mount): Promise<Ino> {
  const { fh, attr } = await world.wait(createFile(a.vfs, "f"));
  await world.wait(a.vfs.fsync(fh));
  a.vfs.release(fh);
  await world.wait(a.vfs.rename(root, ROOT_INO, n("f"), ROOT_INO, n("g"), 0));
  await cutWhileAway(world, a);
  await world.wait(createFile(b.vfs, "g"));
  a.line.up = true;
  return attr.ino;
}

test("a rename that can't be done again is told by its directory's fsync", async (t) => {
  await using world = await RollbackWorld.start();
  const [a, b] = await mounts(world);
  const dir = await world.wait(a.vfs.opendir(root, ROOT_INO));
  await loseRename(world, a, b);
  await t.throwsAsync(world.wait(a.vfs.fsyncdir(dir)), { code: "EIO" });
  await world.wait(a.vfs.fsyncdir(dir));
});

test("what was lost of a closed file is told to who opens and syncs it next, once", async (t) => {
  await using world = await RollbackWorld.start();
  const [a, b] = await mounts(world);
  const ino = await loseRename(world, a, b);
  await world.wait(a.vfs.statfs());
  const { fh } = await world.wait(a.vfs.open(root, ino, O_RDWR));
  await t.throwsAsync(world.wait(a.vfs.fsync(fh)), { code: "EIO" });
  await world.wait(a.vfs.fsync(fh));
});

test("what is seen of a file after a power cut doesn't hide what it took from it", async (t) => {
  await using world = await RollbackWorld.start();
  const [, b] = await mounts(world);
  const { session } = await world.connect();
  const answers = deferred();
  const late: Ino[] = [];
  let inos: Ino[] = [];
  const meta: MetaSession = {
    ...session,
    getattr: async (ino) => {
      const isFirst = late.length < MAX_REOPENS_IN_FLIGHT && inos.includes(ino);
      if (isFirst) late.push(ino);
      const attr = await session.getattr(ino);
      if (isFirst) await answers.promise;
      return attr;
    },
  };
  const { clock } = world;
  const blocks = new MemoryBlockStore();
  const vfs = new DfsVfs({ meta, blocks, clock, log: silentLog });
  const opened = [];
  for (let count = 0; count <= MAX_REOPENS_IN_FLIGHT; count++) {
    opened.push(await world.wait(createFile(vfs, `f${count}`)));
  }
  const { fh, attr } = present(opened.at(-1));
  await world.wait(vfs.fsync(fh));
  await world.wait(clock.sleep(10));
  await world.wait(b.vfs.setattr(root, attr.ino, { mode: 0o100600 }));
  const seen = await world.wait(vfs.open(root, attr.ino, 0));
  t.is(seen.attr.mode, 0o100600);
  inos = opened.map((file) => file.attr.ino);
  await cutWhileAway(world, b);
  while (late.length < MAX_REOPENS_IN_FLIGHT) await world.wait(clock.sleep(10));
  const shown = await world.wait(Promise.resolve(vfs.getattr(root, attr.ino)));
  t.is(shown.mode, 0o100644);
  answers.resolve();
  await t.throwsAsync(world.wait(vfs.fsync(fh)), { code: "EIO" });
});
