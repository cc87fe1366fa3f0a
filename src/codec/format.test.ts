// The stored format: fixed vectors, and an implementation written from FORMAT.md alone. When this
// fails, shards that were stored before can no longer be read: don't change the vectors.
import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import test from "ava";
import type { PoolId, SliceId } from "../domain/ids.ts";
import { present } from "../testing/present.ts";
import { CellSeal } from "./cell-seal.ts";
import { StripeCodec } from "./stripe-codec.ts";

interface Vector {
  k: number;
  m: number;
  length: number;
  seed: number;
  shardBytes: number;
  shards: string[][];
}

interface SealVector {
  cluster: string;
  pool: number;
  slice: number;
  index: number;
  slot: number;
  cell: number;
  mask: string;
}

interface Field {
  w: number;
  multiply: (a: number, b: number) => number;
  divide: (a: number, b: number) => number;
}

const CELL = 65_536;
const sourceFolder = new URL("../../src/codec/", import.meta.url);
// The casts hold: the files are this project's own.
const vectors = JSON.parse(
  readFileSync(new URL("test-vectors.json", sourceFolder), "utf8"),
) as Vector[];
const sealVectors = JSON.parse(
  readFileSync(new URL("seal-vectors.json", sourceFolder), "utf8"),
) as SealVector[];
const formatPage = readFileSync(new URL("FORMAT.md", sourceFolder), "utf8");

function inputBytes(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let x = seed;
  for (let n = 0; n < length; n++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    bytes[n] = x >>> 24;
  }
  return bytes;
}

/** [w, p] or [w, p, x, y] of a policy, from the page's table. */
function parametersOf(k: number, m: number): number[] {
  const rows = formatPage.split("\n").map((line) => line.split("|").map((text) => text.trim()));
  const row = rows.find((texts) => texts[1] === String(k));
  return present(present(row)[m + 1])
    .split(" ")
    .map(Number);
}

function fieldOf(w: number, p: number): Field {
  const size = 2 ** w;
  const multiply = (a: number, b: number): number => {
    let product = 0;
    for (let shifted = a, bit = 0; bit < w; bit++) {
      if (b & (1 << bit)) product ^= shifted;
      shifted <<= 1;
      if (shifted & size) shifted = (shifted ^ p) & (size - 1);
    }
    return product;
  };
  const divide = (a: number, b: number): number => {
    for (let quotient = 0; quotient < size; quotient++) {
      if (multiply(quotient, b) === a) return quotient;
    }
    throw new RangeError(`${a} / ${b}`);
  };
  return { w, multiply, divide };
}

function ones({ w, multiply }: Field, element: number): number {
  let count = 0;
  for (let a = 0; a < w; a++) {
    for (let bits = multiply(element, 2 ** a); bits > 0; bits >>= 1) count += bits & 1;
  }
  return count;
}

function matrixOf(field: Field, k: number, m: number, x = 0, y = 0): number[][] {
  const columns = Array.from({ length: k }, (_, c) => c);
  const first = columns.map(() => 1);
  if (m === 1) return [first];
  if (m === 2) {
    const elements = Array.from({ length: 2 ** field.w - 1 }, (_, n) => n + 1);
    elements.sort((a, b) => ones(field, a) - ones(field, b) || a - b);
    return [first, elements.slice(0, k)];
  }
  const inverse = (r: number, c: number): number => field.divide(1, (y + r) ^ (x + c));
  const rows = Array.from({ length: m - 1 }, (_, at) =>
    columns.map((c) => field.divide(inverse(at + 1, c), inverse(0, c))),
  );
  const total = (row: number[]): number => row.reduce((sum, e) => sum + ones(field, e), 0);
  const lightest = rows.map((row) => {
    const divided = row.map((by) => row.map((e) => field.divide(e, by)));
    return [row, ...divided].reduce((best, next) => (total(next) < total(best) ? next : best));
  });
  return [first, ...lightest];
}

function packetBytes(rowBytes: number, w: number, k: number): number {
  let size = rowBytes / w;
  while (size > 64 && size % 2 === 0 && (1 + k * w) * size > 1_048_576) size /= 2;
  return size;
}

/** Every shard of the block, by FORMAT.md. */
function encodeByThePage(block: Uint8Array, k: number, m: number): Uint8Array[] {
  const [w = 0, p = 0, x, y] = parametersOf(k, m);
  const field = fieldOf(w, p);
  const matrix = matrixOf(field, k, m, x, y);
  const shardBytes = Math.ceil(Math.ceil(block.length / k) / 8) * 8;
  const padded = new Uint8Array(k * shardBytes);
  padded.set(block);
  const data = Array.from({ length: k }, (_, i) =>
    padded.subarray(i * shardBytes, (i + 1) * shardBytes),
  );
  const parity = matrix.map((row) => {
    const shard = new Uint8Array(shardBytes);
    for (let begin = 0; begin < shardBytes; begin += CELL) {
      const rowBytes = Math.min(CELL, shardBytes - begin);
      const size = packetBytes(rowBytes, w, k);
      for (let at = begin; at < begin + rowBytes; at++) {
        const inGroup = (at - begin) % (w * size);
        const [b, rest] = [Math.floor(inGroup / size), inGroup % size];
        for (let i = 0; i < k; i++) {
          for (let a = 0; a < w; a++) {
            if (!(field.multiply(present(row[i]), 2 ** a) & (1 << b))) continue;
            shard[at] =
              present(shard[at]) ^ present(present(data[i])[at - inGroup + a * size + rest]);
          }
        }
      }
    }
    return shard;
  });
  return [...data, ...parity];
}

function cellHexes(shard: Uint8Array): string[] {
  const hexes: string[] = [];
  for (let at = 0; at < shard.length; at += CELL) {
    hexes.push(
      crc32(shard.subarray(at, at + CELL))
        .toString(16)
        .padStart(8, "0"),
    );
  }
  return hexes;
}

test("today's code stores exactly the bytes of the fixed vectors", async (t) => {
  t.true(vectors.length >= 50);
  for (const { k, m, length, seed, shardBytes, shards } of vectors) {
    const stripe = await new StripeCodec({ k, m }).encode(inputBytes(length, seed));
    t.true(stripe.shards.every((shard) => shard.length === shardBytes));
    t.deepEqual(stripe.shards.map(cellHexes), shards, `${k}+${m}, ${length} bytes`);
  }
});

test("FORMAT.md alone is enough to store the bytes of the fixed vectors", (t) => {
  const small = vectors.filter(({ k, length }) => length < k * CELL + 100_000 && k <= 6);
  t.true(small.length >= 20);
  for (const { k, m, length, seed, shards } of small) {
    const encoded = encodeByThePage(inputBytes(length, seed), k, m);
    t.deepEqual(encoded.map(cellHexes), shards, `${k}+${m}, ${length} bytes`);
  }
});

test("FORMAT.md's table is right for every policy there can be", async (t) => {
  for (let k = 1; k <= 24; k++) {
    for (let m = 1; m <= 6; m++) {
      const block = inputBytes(k * 24 - 3, k * 8 + m);
      const { shards } = await new StripeCodec({ k, m }).encode(block);
      const expected = encodeByThePage(block, k, m);
      t.true(
        shards.every((shard, slot) => Buffer.compare(shard, present(expected[slot])) === 0),
        `${k}+${m}`,
      );
    }
  }
});

test("FORMAT.md's packet rule is right where packets are halved", async (t) => {
  const [k, m, w] = [18, 2, 8];
  t.true(packetBytes(CELL, w, k) < CELL / w);
  const block = inputBytes(k * CELL, 6);
  const { shards } = await new StripeCodec({ k, m }).encode(block);
  t.deepEqual(shards.map(cellHexes), encodeByThePage(block, k, m).map(cellHexes));
});

/** The mask by FORMAT.md. */
function maskByThePage({ cluster, pool, slice, index, slot, cell }: SealVector): string {
  const low = (value: bigint): bigint => BigInt.asUintN(32, value);
  const finish = (begin: bigint): bigint => {
    let v = begin ^ (begin >> 16n);
    v = low(v * 0x85ebca6bn);
    v ^= v >> 13n;
    v = low(v * 0xc2b2ae35n);
    return v ^ (v >> 16n);
  };
  const mix = (s: bigint, w: bigint): bigint => finish(low((s ^ w) + 0x9e3779b9n));
  const words = [
    BigInt(pool) * 65_536n + BigInt(index),
    BigInt(slice) / 2n ** 32n,
    BigInt(slice) % 2n ** 32n,
    BigInt(slot) * 65_536n + BigInt(cell),
  ];
  return words
    .reduce(mix, finish(BigInt(crc32(cluster))))
    .toString(16)
    .padStart(8, "0");
}

test("today's masks of cells are those of the fixed vectors, and FORMAT.md's", (t) => {
  t.true(sealVectors.length >= 20);
  for (const vector of sealVectors) {
    const { cluster, pool, slice, index, slot, cell, mask } = vector;
    const id = { pool: pool as PoolId, pg: 3, slice: slice as SliceId, index, slot };
    const [masked] = new CellSeal(cluster).mask(id, new Uint32Array(1), cell);
    t.is(present(masked).toString(16).padStart(8, "0"), mask);
    t.is(maskByThePage(vector), mask);
  }
});
