// Slices: made by a commit, counted by who cites them, buried when nobody does.
import { FsError } from "../../domain/errno.ts";
import type { SessionId, SliceId } from "../../domain/ids.ts";
import type { Extent } from "../../domain/layout.ts";
import type { CommitRequest, ExtentCommit } from "../../protocol/meta/meta-service.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import type { StoredExtent } from "../schema/extents.ts";
import { keys } from "../schema/keys.ts";
import { decodeSlice, encodeSlice, type SliceRecord } from "../schema/slice.ts";
import { holdsSlice } from "../schema/slice-ranges.ts";
import { bury } from "./tombstones.ts";

/** Changes of reference counts, collected so that each slice is written once. */
export class CitationChanges {
  readonly #byId = new Map<SliceId, number>();

  add(extents: readonly StoredExtent[], by: 1 | -1): void {
    for (const { slice } of extents) this.cite(slice, by);
  }

  cite(slice: SliceId, by: 1 | -1): void {
    this.#byId.set(slice, (this.#byId.get(slice) ?? 0) + by);
  }

  apply(tx: Transaction): void {
    for (const [id, by] of this.#byId) if (by !== 0) changeReferences(tx, id, by);
  }
}

/** @throws FsError EIO when it isn't there */
export function loadSlice(tx: ReadTransaction, id: SliceId): SliceRecord {
  const record = tx.get(keys.slice(id));
  if (record === undefined) throw new FsError("EIO", `slice ${id} is cited but not there`);
  return decodeSlice(record);
}

function changeReferences(tx: Transaction, id: SliceId, by: number): void {
  const slice = loadSlice(tx, id);
  slice.references += by;
  if (slice.references > 0) {
    tx.put(keys.slice(id), encodeSlice(slice));
    return;
  }
  tx.delete(keys.slice(id));
  if (slice.packed !== undefined) changeReferences(tx, slice.packed.id, -1);
  else if (slice.inline === undefined) {
    bury(tx, { slice: id, pool: slice.pool, storedBytes: slice.storedBytes });
  }
}

/** Of a slice that is counted, but cited by nothing: it ends as if the last citation had gone. */
export function buryUncited(tx: Transaction, id: SliceId): void {
  if (sliceExists(tx, id)) changeReferences(tx, id, -loadSlice(tx, id).references);
}

/**
 * @param settled its blocks, where it has any, are on disk
 * @throws FsError EINVAL when the slice was committed before
 */
export function addSlice(tx: Transaction, commit: ExtentCommit, settled: boolean): void {
  const key = keys.slice(commit.slice);
  if (tx.get(key) !== undefined) {
    throw new FsError("EINVAL", `slice ${commit.slice} was committed before`);
  }
  const { pool, inline, lengthBytes: storedBytes } = commit;
  const record: SliceRecord = { references: 1, pool, storedBytes };
  if (inline !== undefined) record.inline = inline;
  else if (!settled) record.unsettled = true;
  tx.put(key, encodeSlice(record));
}

/** Leaves a slice that was never cited for gc, where it has shards. */
function abandonSlice(tx: Transaction, commit: ExtentCommit): void {
  const { slice, pool, inline, lengthBytes: storedBytes } = commit;
  if (inline === undefined && !sliceExists(tx, slice)) bury(tx, { slice, pool, storedBytes });
}

/** For a commit that was refused, or never came: its slices go to gc. */
export function abandonSlices(tx: Transaction, refused: readonly ExtentCommit[]): void {
  for (const extent of refused) abandonSlice(tx, extent);
}

/**
 * A slice of a session that has ended may be garbage already: only this one's may be committed.
 * @throws FsError ESTALE
 */
export function requireOwnSlices(
  tx: ReadTransaction,
  session: SessionId,
  { extents }: CommitRequest,
): void {
  for (const { slice } of extents) {
    if (!holdsSlice(tx, session, slice)) {
      throw new FsError("ESTALE", `slice ${slice} was not handed to this session`);
    }
  }
}

/** An extent as a reader needs it. */
export function resolveExtent(tx: ReadTransaction, stored: StoredExtent): Extent {
  const { posInChunk, lengthBytes, offInSlice, slice } = stored;
  const { inline, packed, pool, storedBytes } = loadSlice(tx, slice);
  if (inline !== undefined) return { posInChunk, lengthBytes, offInSlice, slice, inline };
  const location = packed ?? { id: slice, pool, storedBytes, baseBytes: 0 };
  return { posInChunk, lengthBytes, offInSlice, slice, location };
}

/** True while an extent cites the slice. */
export function sliceExists(tx: ReadTransaction, id: SliceId): boolean {
  return tx.get(keys.slice(id)) !== undefined;
}
