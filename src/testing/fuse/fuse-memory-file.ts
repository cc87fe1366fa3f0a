// Bytes of one file of the in-memory file system: sparse, in pieces of 1 MiB.

const PIECE_BYTES = 1024 * 1024;
const ZEROES = new Uint8Array(PIECE_BYTES);

export class MemoryFile {
  readonly #pieces = new Map<number, Uint8Array>();
  sizeBytes = 0;

  get allocatedBytes(): number {
    let sum = 0;
    for (const piece of this.#pieces.values()) sum += piece.length;
    return sum;
  }

  write(offset: number, data: Uint8Array): void {
    for (let done = 0; done < data.length;) {
      const at = offset + done;
      const inPiece = at % PIECE_BYTES;
      const length = Math.min(PIECE_BYTES - inPiece, data.length - done);
      this.#pieceFor(Math.floor(at / PIECE_BYTES), inPiece + length).set(
        data.subarray(done, done + length),
        inPiece,
      );
      done += length;
    }
    this.sizeBytes = Math.max(this.sizeBytes, offset + data.length);
  }

  /** Views of the file's own memory: valid until the next write. */
  read(offset: number, sizeBytes: number): Uint8Array[] {
    const end = Math.min(offset + sizeBytes, this.sizeBytes);
    const result: Uint8Array[] = [];
    for (let at = offset; at < end;) {
      const inPiece = at % PIECE_BYTES;
      const length = Math.min(PIECE_BYTES - inPiece, end - at);
      const piece = this.#pieces.get(Math.floor(at / PIECE_BYTES));
      const stored = Math.max(0, Math.min((piece?.length ?? 0) - inPiece, length));
      if (piece !== undefined && stored > 0) result.push(piece.subarray(inPiece, inPiece + stored));
      if (stored < length) result.push(ZEROES.subarray(0, length - stored));
      at += length;
    }
    return result;
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes < this.sizeBytes) {
      const last = Math.floor(sizeBytes / PIECE_BYTES);
      for (const index of this.#pieces.keys()) if (index > last) this.#pieces.delete(index);
      this.#pieces.get(last)?.fill(0, sizeBytes % PIECE_BYTES);
    }
    this.sizeBytes = sizeBytes;
  }

  /** Small files cost little: a piece grows by doubling. */
  #pieceFor(index: number, neededBytes: number): Uint8Array {
    const piece = this.#pieces.get(index);
    if (piece !== undefined && piece.length >= neededBytes) return piece;
    let length = Math.max(4096, piece?.length ?? 0);
    while (length < neededBytes) length *= 2;
    const grown = new Uint8Array(length);
    if (piece !== undefined) grown.set(piece);
    this.#pieces.set(index, grown);
    return grown;
  }
}
