import test from "ava";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { ROOT_INO, type Ino, type Name, type SliceId } from "../../domain/ids.ts";
import { CHUNK_BYTES, MAX_INLINE_BYTES } from "../../domain/format.ts";
import { TestNamespace } from "../../testing/engine/engine-namespace.ts";
import { MemoryEngine } from "../engine/memory-engine.ts";
import { encodeSlice } from "../schema/slice.ts";
import { keys } from "../schema/keys.ts";
import { present } from "../../testing/present.ts";
import { usageOf } from "./inodes.ts";
import { reapStep } from "./reaper.ts";
import { abandonSlices, sliceExists } from "./slices.ts";
import { forgetTombstones, tombstones } from "./tombstones.ts";

const n = (name: string): Name => name as Name;
const MIB = 1024 * 1024;

async function fresh(): Promise<[TestNamespace, Ino]> {
  const fs = await TestNamespace.on(new MemoryEngine());
  return [fs, (await fs.file("f")).ino];
}

/** A chunk's extents as "position+length<slice@offset". */
async function mapped(fs: TestNamespace, ino: Ino, chunk = 0): Promise<string[]> {
  const [found] = await fs.see((ns, tx) => ns.extents(tx, ino, [chunk]));
  return (found?.extents ?? []).map(
    (e) => `${e.posInChunk}+${e.lengthBytes}<${e.slice}@${e.offInSlice}`,
  );
}

const dead = async (fs: TestNamespace): Promise<number[]> =>
  (await fs.see((_ns, tx) => tombstones(tx, 0, 1e9, 1e6)))
    .map(({ slice }) => slice)
    .sort((a, b) => a - b);

test("a commit maps its slices, and sets size, mtime and allotted bytes", async (t) => {
  const [fs, ino] = await fresh();
  const inline = Buffer.from("inline bytes");
  const attr = await fs.commit(
    ino,
    [fs.extent(0, 4 * MIB), fs.extent(2 * CHUNK_BYTES + 100, inline.length, inline)],
    2 * CHUNK_BYTES + 500,
  );
  t.like(attr, { sizeBytes: 2 * CHUNK_BYTES + 500, mtimeSec: 5, mtimeNsec: 6 });
  t.is(attr.allocatedBytes, 4 * MIB + inline.length);
  const chunks = await fs.see((ns, tx) => ns.extents(tx, ino, [0, 1, 2]));
  t.deepEqual(chunks, [
    {
      chunk: 0,
      extents: [
        {
          posInChunk: 0,
          lengthBytes: 4 * MIB,
          offInSlice: 0,
          slice: 1 as SliceId,
          location: { id: 1 as SliceId, pool: attrPool, storedBytes: 4 * MIB, baseBytes: 0 },
        },
      ],
    },
    { chunk: 1, extents: [] },
    {
      chunk: 2,
      extents: [
        {
          posInChunk: 100,
          lengthBytes: 12,
          offInSlice: 0,
          slice: 2 as SliceId,
          inline: new Uint8Array(inline),
        },
      ].map((extent) => ({ ...extent, inline: Buffer.from(extent.inline) })),
    },
  ]);
  t.true(await fs.see((_ns, tx) => sliceExists(tx, 1 as SliceId)));
  t.deepEqual(await fs.broken(), []);
});

const attrPool = 1 as never;

test("what a newer extent covers is let go, what sticks out stays mapped", async (t) => {
  const [fs, ino] = await fresh();
  await fs.commit(ino, [fs.extent(0, 100), fs.extent(100, 100), fs.extent(200, 100)]);
  await fs.commit(ino, [fs.extent(50, 200)]);
  t.deepEqual(await mapped(fs, ino), ["0+50<1@0", "50+200<4@0", "250+50<3@50"]);
  t.deepEqual(await dead(fs), [2]);
  await fs.commit(ino, [fs.extent(100, 10)]);
  t.deepEqual(await mapped(fs, ino), [
    "0+50<1@0",
    "50+50<4@0",
    "100+10<5@0",
    "110+140<4@60",
    "250+50<3@50",
  ]);
  t.deepEqual(await fs.broken(), []);
  await fs.commit(ino, [fs.extent(0, 300)]);
  t.deepEqual(await mapped(fs, ino), ["0+300<6@0"]);
  t.deepEqual(await dead(fs), [1, 2, 3, 4, 5]);
  t.is((await fs.see((ns, tx) => ns.getattr(tx, ino))).allocatedBytes, 300);
  await fs.do((_ns, tx) => forgetTombstones(tx, 1e9, 10));
  t.deepEqual(await dead(fs), []);
  t.deepEqual(await fs.broken(), []);
});

test("one commit's extents overlay in order, and overwritten inline bytes vanish", async (t) => {
  const [fs, ino] = await fresh();
  const bytes = Buffer.alloc(10, 1);
  await fs.commit(ino, [fs.extent(0, 10, bytes), fs.extent(0, 10, bytes), fs.extent(5, 10, bytes)]);
  t.deepEqual(await mapped(fs, ino), ["0+5<2@0", "5+10<3@0"]);
  t.deepEqual(await dead(fs), []);
  t.false(await fs.see((_ns, tx) => sliceExists(tx, 1 as SliceId)));
  t.deepEqual(await fs.broken(), []);
});

test("a malformed commit is refused whole", async (t) => {
  const [fs, ino] = await fresh();
  const good = fs.extent(0, 10);
  const large = Buffer.alloc(MAX_INLINE_BYTES + 1);
  for (const bad of [
    { ...good, lengthBytes: 0 },
    { ...good, posInChunk: CHUNK_BYTES - 5 },
    { ...good, chunk: -1 },
    { ...good, posInChunk: 0.5 },
    { ...good, inline: Buffer.alloc(9) },
    { ...good, lengthBytes: large.length, inline: large },
  ]) {
    await t.throwsAsync(fs.commit(ino, [fs.extent(0, 5), bad]), { code: "EINVAL" });
  }
  await fs.commit(ino, [good]);
  await t.throwsAsync(fs.commit(ino, [good]), { code: "EINVAL" });
  await t.throwsAsync(fs.commit(ino, [{ ...fs.extent(0, 1), chunk: 2 ** 27 }]), { code: "EFBIG" });
  await t.throwsAsync(fs.commit(ROOT_INO, [fs.extent(0, 5)]), { code: "EISDIR" });
  t.deepEqual(await mapped(fs, ino), [`0+10<${good.slice}@0`]);
  t.deepEqual(await fs.broken(), []);
});

test("slices of a commit to a deleted file can be left to gc", async (t) => {
  const [fs, ino] = await fresh();
  await fs.do((ns, tx) => ns.unlink(tx, ROOT_CALLER, ROOT_INO, n("f")));
  const extents = [fs.extent(0, 100), fs.extent(100, 5, Buffer.alloc(5))];
  await t.throwsAsync(fs.commit(ino, extents), { code: "ENOENT" });
  await fs.do((_ns, tx) => abandonSlices(tx, extents));
  t.deepEqual(await dead(fs), [1]);
});

test("shrinking cuts the edge and drops the rest, growing again reads as a hole", async (t) => {
  const [fs, ino] = await fresh();
  const extents = [0, 1, 2].map((chunk) => fs.extent(chunk * CHUNK_BYTES, 1000));
  await fs.commit(ino, extents);
  const truncate = (sizeBytes: number): Promise<unknown> =>
    fs.do((ns, tx) => ns.setattr(tx, ROOT_CALLER, ino, { sizeBytes }, false));
  await truncate(CHUNK_BYTES + 300);
  t.deepEqual(await dead(fs), [3]);
  await truncate(3 * CHUNK_BYTES);
  t.deepEqual(await mapped(fs, ino, 1), ["0+300<2@0"]);
  t.deepEqual(await mapped(fs, ino, 2), []);
  t.is((await fs.see((ns, tx) => ns.getattr(tx, ino))).allocatedBytes, 1300);
  await truncate(CHUNK_BYTES);
  t.deepEqual(await dead(fs), [2, 3]);
  await truncate(0);
  t.deepEqual(await dead(fs), [1, 2, 3]);
  t.deepEqual(await fs.see((_ns, tx) => usageOf(tx)), { inodes: 2, bytes: 0 });
  t.deepEqual(await fs.broken(), []);
});

test("a sparse file of a GiB maps only what was written", async (t) => {
  const [fs, ino] = await fresh();
  const end = 1024 * MIB;
  await fs.do((ns, tx) => ns.setattr(tx, ROOT_CALLER, ino, { sizeBytes: end }, false));
  const attr = await fs.commit(ino, [fs.extent(end - 10, 10)]);
  t.like(attr, { sizeBytes: end, allocatedBytes: 10 });
  t.deepEqual(await mapped(fs, ino, 7), []);
  t.deepEqual(await mapped(fs, ino, 15), [`${CHUNK_BYTES - 10}+10<1@0`]);
});

async function hugeFile(fs: TestNamespace, ino: Ino, chunks: number): Promise<void> {
  for (let chunk = 0; chunk < chunks; chunk += 100) {
    const extents = Array.from({ length: 100 }, (_, index) =>
      fs.extent((chunk + index) * CHUNK_BYTES, CHUNK_BYTES),
    );
    await fs.commit(ino, extents);
  }
}

test("deleting a huge file takes one small transaction and many small steps", async (t) => {
  const [fs, ino] = await fresh();
  await hugeFile(fs, ino, 1000);
  await fs.do((ns, tx) => ns.setxattr(tx, ROOT_CALLER, ino, "user.a", Buffer.from("v"), 0));
  await fs.do((ns, tx) => ns.unlink(tx, ROOT_CALLER, ROOT_INO, n("f")));
  t.deepEqual(await fs.see((_ns, tx) => usageOf(tx)), { inodes: 1, bytes: 0 });
  t.deepEqual(await dead(fs), []);
  t.is(await fs.do((_ns, tx) => reapStep(tx, 100)), 100);
  t.is((await dead(fs)).length, 100);
  t.deepEqual(await fs.broken(), []);
  t.true((await fs.reapAll(100)) >= 9);
  t.is((await dead(fs)).length, 1000);
  t.is(await fs.do((_ns, tx) => reapStep(tx, 100)), 0);
  t.deepEqual(await fs.broken(), []);
});

for (const [promise, keep] of [
  ["truncating a huge file to nothing", 0],
  ["truncating a huge file to a little", 10.5 * CHUNK_BYTES],
  ["truncating a third off a huge file", 600 * CHUNK_BYTES],
] as const) {
  test(`${promise} leaves the rest to the reaper, and new content is not reaped`, async (t) => {
    const [fs, ino] = await fresh();
    await hugeFile(fs, ino, 900);
    const attr = await fs.do((ns, tx) =>
      ns.setattr(tx, ROOT_CALLER, ino, { sizeBytes: keep }, false),
    );
    t.like(attr, { sizeBytes: keep, allocatedBytes: keep });
    await fs.commit(ino, [fs.extent(700 * CHUNK_BYTES, 100)]);
    t.deepEqual(await fs.broken(), []);
    await fs.reapAll(77);
    t.deepEqual(await fs.broken(), []);
    t.is((await dead(fs)).length, 900 - Math.ceil(keep / CHUNK_BYTES));
    t.deepEqual(await mapped(fs, ino, 700), ["0+100<901@0"]);
    await fs.do((ns, tx) => ns.unlink(tx, ROOT_CALLER, ROOT_INO, n("f")));
    await fs.reapAll();
    t.is((await dead(fs)).length, 901);
    t.deepEqual(await fs.broken(), []);
  });
}

test("a chunk of thousands of extents is reaped in parts", async (t) => {
  const [fs, ino] = await fresh();
  const extents = Array.from({ length: 3000 }, (_, index) => fs.extent(index * 8192, 4096));
  await fs.commit(ino, extents);
  await fs.do((ns, tx) => ns.unlink(tx, ROOT_CALLER, ROOT_INO, n("f")));
  for (let step = 1; step <= 3; step += 1) {
    t.is(await fs.do((_ns, tx) => reapStep(tx, 1000)), 1000);
    t.is((await dead(fs)).length, step * 1000);
    t.deepEqual(await fs.broken(), []);
  }
});

test("a packed slice is read from where it lies, and lets its container go with it", async (t) => {
  const [fs, ino] = await fresh();
  await fs.commit(ino, [fs.extent(0, 50, Buffer.alloc(50))]);
  const container = 900 as SliceId;
  await fs.do((_ns, tx) => {
    const at = { id: container, pool: attrPool, storedBytes: 4096, baseBytes: 1000 };
    tx.put(
      keys.slice(container),
      encodeSlice({ references: 1, pool: attrPool, storedBytes: 4096 }),
    );
    tx.put(
      keys.slice(1 as SliceId),
      encodeSlice({ references: 1, pool: attrPool, storedBytes: 50, packed: at }),
    );
  });
  const [chunk] = await fs.see((ns, tx) => ns.extents(tx, ino, [0]));
  t.deepEqual(present(present(chunk).extents[0]).location, {
    id: container,
    pool: attrPool,
    storedBytes: 4096,
    baseBytes: 1000,
  });
  t.deepEqual(await fs.broken(), []);
  await fs.do((ns, tx) => ns.unlink(tx, ROOT_CALLER, ROOT_INO, n("f")));
  t.deepEqual(await dead(fs), [900]);
  t.deepEqual(await fs.broken(), []);
});

test("opening to truncate empties the file at once", async (t) => {
  const [fs, ino] = await fresh();
  await fs.commit(ino, [fs.extent(0, 5000)]);
  const access = { read: true, write: true, truncate: true };
  const reply = await fs.do((ns, tx) => ns.open(tx, ROOT_CALLER, ino, access));
  t.like(reply.attr, { sizeBytes: 0, allocatedBytes: 0 });
  t.deepEqual(reply.firstChunk, { chunk: 0, extents: [] });
  t.deepEqual(await dead(fs), [1]);
  t.deepEqual(await fs.broken(), []);
});
