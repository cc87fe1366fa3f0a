// What the backup job asks of the metadata, and of the place where copies are kept as files. The
// metadata server's composition implements both.
import type { SliceId } from "../../domain/ids.ts";

/** A copy on the storage nodes. */
export interface NodeCopy {
  readonly number: number;
  readonly madeMs: number;
  readonly parts: number;
  /** Absent until it is whole. */
  readonly sizeBytes?: number;
}

export interface CopyLedger {
  /** Pieces of a copy of all metadata; what it may cite is noted, on disk, when the last comes. */
  make(madeMs: number): AsyncIterable<Buffer>;
  /** Oldest first, those that were begun and not ended among them. */
  copies(): Promise<NodeCopy[]>;
  /** On disk when it resolves. */
  begin(madeMs: number): Promise<NodeCopy>;
  /** Adds a slice for the copy's next blocks; on disk when it resolves. */
  addPart(copy: NodeCopy): Promise<NodeCopy>;
  sliceOf(copy: NodeCopy, part: number): SliceId;
  /** The copy is whole and on the nodes' disks; those of `obsolete` go to gc. One transaction. */
  finish(copy: NodeCopy, sizeBytes: number, obsolete: readonly NodeCopy[]): Promise<void>;
  drop(copy: NodeCopy): Promise<void>;
}

/** One in a file; no two have the same time. */
export interface FileCopy {
  readonly madeMs: number;
}

/** What a whole copy says of itself. */
export interface MadeCopy {
  readonly position: number;
  readonly sizeBytes: number;
}

/** Copies as files beside the metadata. */
export interface CopyFiles {
  /** Oldest first. */
  list(): Promise<FileCopy[]>;
  /** Keeps the copy that the pieces are. @throws FsError ENOSPC, EIO, EBADMSG */
  write(madeMs: number, pieces: AsyncIterable<Buffer>): Promise<MadeCopy>;
  /** Pieces of one. They end with EBADMSG where it is no longer what was written. */
  read(file: FileCopy): AsyncIterable<Buffer>;
  remove(file: FileCopy): Promise<void>;
}
