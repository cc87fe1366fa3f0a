// 32-bit hashing by integer arithmetic alone: MurmurHash3 x86_32 (Austin Appleby, public domain)
// over words. Where data lies follows from it, so not one bit of it may ever change.

const SLICE_SEED = 0x9747b28c;
const TEXT_SEED_LOW = 0x2f6b1d35;
const TEXT_SEED_HIGH = 0x7e95761e;

/** Takes one 32-bit word into the hash. */
export function mixWord(hash: number, word: number): number {
  let mixed = Math.imul(word, 0xcc9e2d51);
  mixed = (mixed << 15) | (mixed >>> 17);
  let next = hash ^ Math.imul(mixed, 0x1b873593);
  next = (next << 13) | (next >>> 19);
  return (Math.imul(next, 5) + 0xe6546b64) | 0;
}

/** Ends a hash: each bit of what was mixed in moves each bit of the result, 0…2^32-1. */
export function finishHash(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Hash of a block's name, for its placement group. `slice` has up to 53 bits. */
export function hashBlock(slice: number, index: number): number {
  let hash = mixWord(SLICE_SEED, slice >>> 0);
  hash = mixWord(hash, Math.floor(slice / 2 ** 32));
  return finishHash(mixWord(hash, index));
}

/** 64 bits of a text as two words: of thousands of nodes no two shall draw alike. */
export function hashText(text: string): readonly [number, number] {
  let low = TEXT_SEED_LOW;
  let high = TEXT_SEED_HIGH;
  for (let at = 0; at < text.length; at++) {
    low = mixWord(low, text.charCodeAt(at));
    high = mixWord(high, text.charCodeAt(at));
  }
  return [finishHash(low ^ text.length), finishHash(high ^ text.length)];
}
