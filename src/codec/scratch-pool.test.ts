// ScratchPool: reuse, bounds and which buffers it lets go.
import test from "ava";
import fc from "fast-check";
import { ScratchPool } from "./scratch-pool.ts";

const MIB = 1024 * 1024;

test("a buffer that was given back serves the next take of about its size", (t) => {
  const pool = new ScratchPool(8 * MIB);
  const first = pool.take(2 * MIB);
  const { buffer } = first;
  pool.give(first);
  const second = pool.take(2 * MIB - 100_000);
  t.is(second.buffer, buffer);
  t.is(second.length, 2 * MIB - 100_000);
  t.not(pool.take(2 * MIB).buffer, buffer, "while it is out nobody else gets it");
});

test("no more than its bound lies idle, and the size used longest ago goes first", (t) => {
  const pool = new ScratchPool(4 * MIB);
  const small = [pool.take(MIB), pool.take(MIB)];
  const large = [pool.take(2 * MIB), pool.take(2 * MIB)];
  for (const bytes of [...small, ...large]) pool.give(bytes);
  const reused = [pool.take(2 * MIB).buffer, pool.take(2 * MIB).buffer];
  t.deepEqual(new Set(reused), new Set(large.map((bytes) => bytes.buffer)));
  const gone = small.map((bytes) => bytes.buffer);
  t.false([pool.take(MIB), pool.take(MIB)].some(({ buffer }) => gone.includes(buffer)));
});

test("a buffer larger than the whole bound isn't kept", (t) => {
  const pool = new ScratchPool(MIB);
  const bytes = pool.take(2 * MIB);
  pool.give(bytes);
  t.not(pool.take(2 * MIB).buffer, bytes.buffer);
});

test("a take has the length asked for and wastes at most an eighth", (t) => {
  const pool = new ScratchPool(MIB);
  const property = fc.property(fc.integer({ min: 0, max: 24 * MIB }), (size) => {
    const bytes = pool.take(size);
    const most = Math.max(4096, size * 1.125);
    return bytes.length === size && bytes.buffer.byteLength <= most;
  });
  t.notThrows(() => fc.assert(property));
});
