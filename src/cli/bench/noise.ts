// Content and offsets that follow from a seed: the same ones in every run, nothing secret.

/** Numbers below 2^32 from a seed that isn't 0 (xorshift32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Bytes that nothing on the way can compress or take for zeroes. */
export function noise(sizeBytes: number): Buffer {
  const words = new Uint32Array(sizeBytes / 4);
  const draw = randomNumbers(sizeBytes);
  for (let i = 0; i < words.length; i += 1) words[i] = draw();
  return Buffer.from(words.buffer);
}
