import test from "ava";
import fc from "fast-check";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { ROOT_INO, type Ino, type Name } from "../../domain/ids.ts";
import { CHUNK_BYTES } from "../../domain/format.ts";
import { present } from "../../testing/present.ts";
import { MAX_CHUNKS_DROPPED_AT_ONCE, MAX_EXTENTS_COPIED_AT_ONCE } from "./limits.ts";
import { MAX_FILE_BYTES } from "../../domain/limits.ts";
import type { RangeChange, RangeReply } from "../../protocol/meta/meta-service.ts";
import { seedFromEnvironment } from "../../testing/engine/engine-conformance.ts";
import { TestNamespace } from "../../testing/engine/engine-namespace.ts";
import { MemoryEngine } from "../engine/memory-engine.ts";
import { usageOf } from "./inodes.ts";
import { tombstones } from "./tombstones.ts";

const n = (name: string): Name => name as Name;
const TIB = 1024 ** 4;
const STRANGER = { uid: 7, gid: 7 };

async function fresh(): Promise<[TestNamespace, Ino, Ino]> {
  const fs = await TestNamespace.on(new MemoryEngine());
  return [fs, (await fs.file("f")).ino, (await fs.file("g")).ino];
}

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

function change(
  fs: TestNamespace,
  ino: Ino,
  offset: number,
  lengthBytes: number,
  how: Partial<RangeChange> = { clear: true },
): Promise<RangeReply> {
  const request = { ino, offset, lengthBytes, clear: false, extend: false, killPrivileges: false };
  return fs.do((ns, tx) => ns.changeRange(tx, { ...request, ...how }));
}

function copy(
  fs: TestNamespace,
  [source, sourceOffset]: [Ino, number],
  [target, targetOffset]: [Ino, number],
  lengthBytes: number,
): Promise<RangeReply> {
  const request = { source, sourceOffset, target, targetOffset, lengthBytes };
  return fs.do((ns, tx) => ns.copyRange(tx, { ...request, killPrivileges: false }));
}

const run = (fs: TestNamespace, ino: Ino, offset: number): Promise<unknown> =>
  fs.see((ns, tx) => ns.nextData(tx, ino, offset));

test("a punched range is cut out of the extents, and what nobody cites is let go", async (t) => {
  const [fs, ino] = await fresh();
  await fs.commit(ino, [fs.extent(0, 100), fs.extent(100, 100), fs.extent(200, 100)], 1000);
  const { attr, doneBytes } = await change(fs, ino, 50, 200);
  t.is(doneBytes, 200);
  t.like(attr, { sizeBytes: 1000, allocatedBytes: 100 });
  t.deepEqual(await mapped(fs, ino), ["0+50<1@0", "250+50<3@50"]);
  t.deepEqual(await dead(fs), [2]);
  await change(fs, ino, 10, 10);
  t.deepEqual(await mapped(fs, ino), ["0+10<1@0", "20+30<1@20", "250+50<3@50"]);
  t.deepEqual(await fs.broken(), []);
  await change(fs, ino, 0, MAX_FILE_BYTES);
  t.deepEqual(await dead(fs), [1, 2, 3]);
  t.deepEqual(await fs.see((_ns, tx) => usageOf(tx)), { inodes: 3, bytes: 0 });
  t.deepEqual(await fs.broken(), []);
});

test("a range grows the file only when asked to, never beyond the largest size", async (t) => {
  const [fs, ino] = await fresh();
  t.is((await change(fs, ino, 10, 90, {})).attr.sizeBytes, 0);
  t.is((await change(fs, ino, 10, 90, { extend: true })).attr.sizeBytes, 100);
  t.is((await change(fs, ino, 0, 50, { extend: true, clear: true })).attr.sizeBytes, 100);
  t.is((await change(fs, ino, 90, 50, { extend: true, clear: true })).attr.sizeBytes, 140);
  await t.throwsAsync(change(fs, ino, 1, MAX_FILE_BYTES, { extend: true }), { code: "EFBIG" });
  await t.throwsAsync(change(fs, ino, 1, 0, { extend: true }), { code: "EINVAL" });
  await t.throwsAsync(change(fs, ROOT_INO, 1, 1), { code: "EISDIR" });
});

test("a change of a range takes suid away where it is asked to", async (t) => {
  const [fs] = await fresh();
  const { ino } = await fs.file("suid", { mode: 0o6755 });
  t.is((await change(fs, ino, 0, 1, { extend: true })).attr.mode & 0o7777, 0o6755);
  const { attr } = await change(fs, ino, 0, 1, { extend: true, killPrivileges: true });
  t.is(attr.mode & 0o7777, 0o755);
});

test("punching a huge file goes in bounded steps", async (t) => {
  const [fs, ino] = await fresh();
  const chunks = MAX_CHUNKS_DROPPED_AT_ONCE + 10;
  for (let chunk = 0; chunk < chunks; chunk += 1) {
    await fs.commit(ino, [fs.extent(2 * chunk * CHUNK_BYTES, 100)]);
  }
  const first = await change(fs, ino, 50, TIB);
  t.is(first.doneBytes, 2 * MAX_CHUNKS_DROPPED_AT_ONCE * CHUNK_BYTES - 50);
  const second = await change(fs, ino, 50 + first.doneBytes, TIB - first.doneBytes);
  t.is(second.doneBytes, TIB - first.doneBytes);
  t.is(second.attr.allocatedBytes, 50);
  t.deepEqual(await fs.broken(), []);
});

test("the next data is found across an empty terabyte, touching extents are one run", async (t) => {
  const [fs, ino] = await fresh();
  t.deepEqual(await run(fs, ino, 0), { from: 0, to: 0, sizeBytes: 0 });
  await fs.commit(ino, [fs.extent(TIB - 10, 10)], TIB + 5);
  t.deepEqual(await run(fs, ino, 0), { from: TIB - 10, to: TIB, sizeBytes: TIB + 5 });
  t.deepEqual(await run(fs, ino, TIB - 3), { from: TIB - 3, to: TIB, sizeBytes: TIB + 5 });
  t.deepEqual(await run(fs, ino, TIB), { from: TIB + 5, to: TIB + 5, sizeBytes: TIB + 5 });
  t.deepEqual(await run(fs, ino, 2 * TIB), { from: TIB + 5, to: TIB + 5, sizeBytes: TIB + 5 });
  const extents = [
    fs.extent(CHUNK_BYTES - 20, 10),
    fs.extent(CHUNK_BYTES - 10, 10),
    fs.extent(CHUNK_BYTES, 7),
    fs.extent(CHUNK_BYTES + 8, 1),
  ];
  await fs.commit(ino, extents);
  t.like(await run(fs, ino, 5), { from: CHUNK_BYTES - 20, to: CHUNK_BYTES + 7 });
  t.like(await run(fs, ino, CHUNK_BYTES + 7), { from: CHUNK_BYTES + 8, to: CHUNK_BYTES + 9 });
});

test("a copy cites the source's slices, which live until the last file lets them go", async (t) => {
  const [fs, f, g] = await fresh();
  const inline = Buffer.from("inline bytes");
  await fs.commit(f, [fs.extent(0, 100), fs.extent(150, 12, inline)], 500);
  await fs.commit(g, [fs.extent(0, 1000)]);
  const { attr, doneBytes } = await copy(fs, [f, 10], [g, 300], 400);
  t.is(doneBytes, 400);
  t.like(attr, { ino: g, sizeBytes: 1000, allocatedBytes: 300 + 90 + 12 + 300 });
  t.deepEqual(await mapped(fs, g), ["0+300<3@0", "300+90<1@10", "440+12<2@0", "700+300<3@700"]);
  t.deepEqual(await fs.broken(), []);
  await fs.do((ns, tx) => ns.unlink(tx, ROOT_CALLER, ROOT_INO, n("f")));
  t.deepEqual(await dead(fs), []);
  const [chunk] = await fs.see((ns, tx) => ns.extents(tx, g, [0]));
  t.deepEqual(Buffer.from(present(present(present(chunk).extents[2]).inline)), inline);
  await fs.do((ns, tx) => ns.unlink(tx, ROOT_CALLER, ROOT_INO, n("g")));
  t.deepEqual(await dead(fs), [1, 3]);
  t.deepEqual(await fs.broken(), []);
});

test("a copy is cut where the target's chunks end, and its holes make holes", async (t) => {
  const [fs, f, g] = await fresh();
  await fs.commit(f, [fs.extent(0, 1000)], 3000);
  await fs.commit(g, [fs.extent(CHUNK_BYTES, 4000)]);
  t.is((await copy(fs, [f, 0], [g, CHUNK_BYTES - 400], 5000)).doneBytes, 3000);
  t.deepEqual(await mapped(fs, g, 0), [`${CHUNK_BYTES - 400}+400<1@0`]);
  t.deepEqual(await mapped(fs, g, 1), ["0+600<1@400", "2600+1400<2@2600"]);
  t.deepEqual(await fs.broken(), []);
});

test("a copy within one file works unless its ranges overlap", async (t) => {
  const [fs, f] = await fresh();
  await fs.commit(f, [fs.extent(0, 100)]);
  await t.throwsAsync(copy(fs, [f, 0], [f, 50], 60), { code: "EINVAL" });
  t.is((await copy(fs, [f, 0], [f, 50], 50)).doneBytes, 50);
  t.deepEqual(await mapped(fs, f), ["0+50<1@0", "50+50<1@0"]);
  t.is((await copy(fs, [f, 100], [f, 0], 50)).doneBytes, 0);
  t.deepEqual(await fs.broken(), []);
});

test("a copy of many extents goes in bounded steps", async (t) => {
  const [fs, f, g] = await fresh();
  const count = MAX_EXTENTS_COPIED_AT_ONCE + 3;
  const extents = Array.from({ length: count }, (_, index) => fs.extent(index * 20, 10));
  await fs.commit(f, extents, 1e6);
  const first = await copy(fs, [f, 0], [g, 0], 1e6);
  t.is(first.doneBytes, MAX_EXTENTS_COPIED_AT_ONCE * 20);
  t.is(first.attr.sizeBytes, first.doneBytes);
  const rest = 1e6 - first.doneBytes;
  t.is((await copy(fs, [f, first.doneBytes], [g, first.doneBytes], rest)).doneBytes, rest);
  t.is((await fs.see((ns, tx) => ns.getattr(tx, g))).allocatedBytes, count * 10);
  t.deepEqual(await fs.broken(), []);
});

test("an unnamed file lives while it is open, and for good once it is linked", async (t) => {
  const [fs] = await fresh();
  const make = (): Promise<Ino> =>
    fs.do((ns, tx) => ns.createUnnamed(tx, ROOT_CALLER, ROOT_INO, 0o640).attr.ino);
  const lost = await make();
  t.like(await fs.see((ns, tx) => ns.getattr(tx, lost)), { nlink: 0, mode: 0o100640 });
  await fs.commit(lost, [fs.extent(0, 10)]);
  t.deepEqual(await fs.broken(), []);
  await fs.do((ns, tx) => ns.release(tx, [lost]));
  await t.throwsAsync(
    fs.see((ns, tx) => ns.getattr(tx, lost)),
    { code: "ENOENT" },
  );
  const kept = await make();
  t.is((await fs.do((ns, tx) => ns.link(tx, ROOT_CALLER, kept, ROOT_INO, n("kept")))).nlink, 1);
  await fs.do((ns, tx) => ns.unlink(tx, ROOT_CALLER, ROOT_INO, n("kept")));
  const again = fs.do((ns, tx) => ns.link(tx, ROOT_CALLER, kept, ROOT_INO, n("again")));
  await t.throwsAsync(again, { code: "ENOENT" }, "what has lost its name gets no other");
  await fs.do((ns, tx) => ns.release(tx, [kept]));
  t.is((await fs.see((_ns, tx) => usageOf(tx))).inodes, 3);
  t.deepEqual(await fs.broken(), []);
});

test("an unnamed file takes the right to write to its directory", async (t) => {
  const [fs] = await fresh();
  const made = fs.do((ns, tx) => ns.createUnnamed(tx, STRANGER, ROOT_INO, 0o644));
  await t.throwsAsync(made, { code: "EACCES" });
});

const place = fc
  .tuple(fc.constantFrom(0, CHUNK_BYTES), fc.integer({ min: -40, max: 60 }))
  .map(([base, more]) => Math.max(0, base + more));
const step = fc.record({
  kind: fc.constantFrom("commit", "commit", "clear", "copy", "copy", "truncate"),
  from: fc.nat(1),
  to: fc.nat(1),
  offset: place,
  targetOffset: place,
  length: fc.integer({ min: 1, max: 50 }),
});

/** Bytes by position, of one file. */
class Contents {
  sizeBytes = 0;
  bytes = new Map<number, number>();

  put(position: number, value: number): void {
    if (value === 0) this.bytes.delete(position);
    else this.bytes.set(position, value);
    this.sizeBytes = Math.max(this.sizeBytes, position + 1);
  }
}

async function contentsOf(fs: TestNamespace, ino: Ino): Promise<Contents> {
  const found = new Contents();
  for (const { chunk, extents } of await fs.see((ns, tx) => ns.extents(tx, ino, [0, 1, 2]))) {
    for (const { posInChunk, lengthBytes, offInSlice, inline } of extents) {
      for (let at = 0; at < lengthBytes; at += 1) {
        found.put(chunk * CHUNK_BYTES + posInChunk + at, inline?.[offInSlice + at] ?? 0);
      }
    }
  }
  found.sizeBytes = (await fs.see((ns, tx) => ns.getattr(tx, ino))).sizeBytes;
  return found;
}

test("whatever is committed, punched, copied, cut off, bytes and counts stay right", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const [fs, ...inos] = await fresh();
      const models = [new Contents(), new Contents()] as const;
      let byte = 0;
      for (const { kind, from, to, offset, targetOffset, length } of steps) {
        const ino = inos[from] as Ino; // two files, numbered 0 and 1
        const model = models[from] as Contents;
        if (kind === "commit") {
          const end = Math.min(
            offset + length,
            (Math.floor(offset / CHUNK_BYTES) + 1) * CHUNK_BYTES,
          );
          byte = (byte % 255) + 1;
          await fs.commit(ino, [fs.extent(offset, end - offset, Buffer.alloc(end - offset, byte))]);
          for (let at = offset; at < end; at += 1) model.put(at, byte);
        } else if (kind === "clear") {
          await change(fs, ino, offset, length);
          for (let at = offset; at < offset + length; at += 1) model.bytes.delete(at);
        } else if (kind === "truncate") {
          await fs.do((ns, tx) => ns.setattr(tx, ROOT_CALLER, ino, { sizeBytes: offset }, false));
          model.sizeBytes = offset;
          for (const at of [...model.bytes.keys()]) if (at >= offset) model.bytes.delete(at);
        } else {
          const target = models[to] as Contents;
          const usable = Math.max(0, Math.min(length, model.sizeBytes - offset));
          if (from === to && Math.abs(offset - targetOffset) < usable) continue;
          const values = Array.from({ length: usable }, (_, at) => model.bytes.get(offset + at));
          await copy(fs, [ino, offset], [inos[to] as Ino, targetOffset], length);
          values.forEach((value, at) => target.put(targetOffset + at, value ?? 0));
        }
      }
      for (const index of [0, 1] as const) {
        const found = await contentsOf(fs, inos[index]);
        const { sizeBytes, bytes } = models[index];
        if (found.sizeBytes !== sizeBytes) throw new Error(`${found.sizeBytes} not ${sizeBytes}`);
        const sorted = (map: Map<number, number>): string =>
          JSON.stringify([...map].sort(([a], [b]) => a - b));
        if (sorted(found.bytes) !== sorted(bytes)) throw new Error(`file ${index} is wrong`);
      }
      const broken = await fs.broken();
      if (broken.length > 0) throw new Error(broken.join("; "));
    }),
    { numRuns: 200, ...seedFromEnvironment() },
  );
  t.pass();
});
