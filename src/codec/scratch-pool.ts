// Buffers that are used again instead of allocated anew: a block's parity would otherwise cost
// megabytes of garbage each time.

/** Smallest buffer handed out; below it pooling costs more than it saves. */
const MIN_CLASS_BYTES = 4096;
/** Size classes per doubling: at most an eighth of a buffer lies idle. */
const CLASSES_PER_DOUBLING = 8;

/** Free buffers by size class, at most `maxFreeBytes` of them; the class unused longest yields. */
export class ScratchPool {
  readonly #maxFreeBytes: number;
  readonly #free = new Map<number, ArrayBuffer[]>();
  #freeBytes = 0;

  constructor(maxFreeBytes: number) {
    this.#maxFreeBytes = maxFreeBytes;
  }

  /** `sizeBytes` bytes with whatever was in them before. */
  take(sizeBytes: number): Uint8Array<ArrayBuffer> {
    const classBytes = sizeClassBytes(sizeBytes);
    const buffer = this.#free.get(classBytes)?.pop();
    if (buffer === undefined) return new Uint8Array(new ArrayBuffer(classBytes), 0, sizeBytes);
    this.#freeBytes -= classBytes;
    return new Uint8Array(buffer, 0, sizeBytes);
  }

  /** Takes back what `take` gave; nobody may hold on to it. */
  give(bytes: Uint8Array<ArrayBuffer>): void {
    const { buffer } = bytes;
    const classBytes = buffer.byteLength;
    if (classBytes > this.#maxFreeBytes) return;
    const ofClass = this.#free.get(classBytes) ?? [];
    this.#free.delete(classBytes);
    this.#free.set(classBytes, ofClass);
    ofClass.push(buffer);
    this.#freeBytes += classBytes;
    while (this.#freeBytes > this.#maxFreeBytes) this.#dropOne();
  }

  #dropOne(): void {
    for (const [classBytes, buffers] of this.#free) {
      if (buffers.pop() === undefined) {
        this.#free.delete(classBytes);
        continue;
      }
      this.#freeBytes -= classBytes;
      return;
    }
  }
}

function sizeClassBytes(sizeBytes: number): number {
  if (sizeBytes <= MIN_CLASS_BYTES) return MIN_CLASS_BYTES;
  const doublingBytes = 2 ** (31 - Math.clz32(sizeBytes - 1));
  const stepBytes = doublingBytes / CLASSES_PER_DOUBLING;
  return Math.ceil(sizeBytes / stepBytes) * stepBytes;
}
