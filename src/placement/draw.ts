// A node's weighted draw for a slot, as straw2 of Ceph's CRUSH has it: of nodes that each draw
// -log2(u) / weight the least wins, and wins as often as its weight says. Fixed-point throughout.
import { finishHash, mixWord } from "./hash.ts";

/** Fraction bits of a logarithm: 2^37 at most, so that it stays exact when scaled below. */
const LOG_FRACTION_BITS = 32;
const LOG_ONE = 2 ** LOG_FRACTION_BITS;
/** Entries of the table: linear steps between them are 3e-6 off at most, alike for all nodes. */
const TABLE_BITS = 8;
const STEP_BITS = 31 - TABLE_BITS;
/** Scales a logarithm before it is divided by a weight of up to 16 bits; 2^52 stays exact. */
const DRAW_SCALE = 2 ** 15;

const LOG_TABLE = logTable();

/** What all draws of one slot of one group begin with. */
export function slotSeed(poolId: number, pg: number, slot: number): number {
  return mixWord(mixWord(mixWord(0, poolId), pg), slot);
}

/** The node's draw for that slot, an integer of up to 52 bits: the least of all nodes' wins. */
export function drawOf(seed: number, nodeHash: readonly [number, number], weight: number): number {
  const uniform = finishHash(mixWord(mixWord(seed, nodeHash[0]), nodeHash[1]));
  return Math.floor((negativeLog2(uniform) * DRAW_SCALE) / weight);
}

/** -log2((uniform + 1) / 2^32) in units of 2^-32, for `uniform` of 32 bits. */
export function negativeLog2(uniform: number): number {
  if (uniform === 0xffffffff) return 0;
  const value = uniform + 1;
  const leadingZeros = Math.clz32(value);
  const mantissa = (value << leadingZeros) >>> 0;
  const entry = (mantissa >>> STEP_BITS) & (2 ** TABLE_BITS - 1);
  const below = LOG_TABLE[entry] ?? 0;
  const above = LOG_TABLE[entry + 1] ?? 0;
  const rest = mantissa & (2 ** STEP_BITS - 1);
  const fraction = below + Math.floor(((above - below) * rest) / 2 ** STEP_BITS);
  return (leadingZeros + 1) * LOG_ONE - fraction;
}

/**
 * log2(1 + i / 2^TABLE_BITS) in units of 2^-32, rounded down, bit by bit from repeated squaring.
 */
function logTable(): Float64Array {
  const table = new Float64Array(2 ** TABLE_BITS + 1);
  const two = 1n << 61n;
  for (let entry = 0; entry < 2 ** TABLE_BITS; entry++) {
    let value = BigInt(2 ** TABLE_BITS + entry) << BigInt(60 - TABLE_BITS);
    let log = 0;
    for (let bit = 0; bit < LOG_FRACTION_BITS; bit++) {
      value = (value * value) >> 60n;
      log *= 2;
      if (value >= two) {
        value >>= 1n;
        log += 1;
      }
    }
    table[entry] = log;
  }
  table[2 ** TABLE_BITS] = LOG_ONE;
  return table;
}
