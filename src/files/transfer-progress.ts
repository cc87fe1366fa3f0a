// What a transfer tells of how far it is.

export interface TransferProgress {
  /** So many more bytes have gone through. */
  advance(bytes: number): void;
}
