// What a stretch of a file consists of, as the overlay of dirty and committed data tells the
// reader.
import type { BlockRef } from "../domain/layout.ts";

/** Takes the segments of a read in order of their position. */
export interface SegmentSink {
  hole(lengthBytes: number): void;
  /** Bytes in memory; the view may be given away. */
  bytes(view: Uint8Array): void;
  /** `extentBytes`: length of the extent that the bytes belong to. */
  block(ref: BlockRef, offsetBytes: number, lengthBytes: number, extentBytes: number): void;
}
