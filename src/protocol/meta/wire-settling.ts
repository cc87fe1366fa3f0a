// What is known to be on disk and what isn't, as it travels: unsettled slices, pages of them, and
// the rename that waits for some.
import type { Ino, PoolId, SliceId } from "../../domain/ids.ts";
import { readCount, readList, type Codec } from "../rpc/wire-readers.ts";
import { MAX_UNSETTLED_PAGE } from "./limits.ts";
import type { RenameReply, SlicePlace, UnsettledPage, UnsettledSlice } from "./meta-service.ts";
import { readIno } from "./wire-values.ts";

function readSlice(value: unknown): SliceId {
  return readCount(value, "slice") as SliceId;
}

export const sliceCodec: Codec<SliceId> = { pack: (slice) => slice, read: readSlice };

export const slicePlaceCodec: Codec<SlicePlace> = {
  pack: ({ ino, slice }) => [ino, slice],
  read: (raw) => {
    const [ino, slice] = readList(raw, 2, "slice of a file");
    return { ino: readIno(ino), slice: readSlice(slice) };
  },
};

/** Where a walk goes on; undefined: at the start. */
export const walkPlaceCodec: Codec<SlicePlace | undefined> = {
  pack: (place) => (place === undefined ? null : slicePlaceCodec.pack(place)),
  read: (raw) => (raw === null ? undefined : slicePlaceCodec.read(raw)),
};

const unsettledCodec: Codec<UnsettledSlice> = {
  pack: ({ ino, slice, pool, storedBytes }) => [ino, slice, pool, storedBytes],
  read: (raw) => {
    const [ino, slice, pool, storedBytes] = readList(raw, 4, "unsettled slice");
    return {
      ino: readIno(ino),
      slice: readSlice(slice),
      pool: readCount(pool, "pool") as PoolId,
      storedBytes: readCount(storedBytes, "length"),
    };
  },
};

export const unsettledPageCodec: Codec<UnsettledPage> = {
  pack: ({ slices, next }) => [
    slices.map((slice) => unsettledCodec.pack(slice)),
    walkPlaceCodec.pack(next),
  ],
  read: (raw) => {
    const [list, place] = readList(raw, 2, "page of unsettled slices");
    const slices = readList(list, MAX_UNSETTLED_PAGE, "slices").map((slice) =>
      unsettledCodec.read(slice),
    );
    const next = walkPlaceCodec.read(place);
    return next === undefined ? { slices } : { slices, next };
  },
};

export const syncedCodec: Codec<Ino | undefined> = {
  pack: (ino) => ino ?? null,
  read: (raw) => (raw === null ? undefined : readIno(raw)),
};

export const renameReplyCodec: Codec<RenameReply> = {
  pack: ({ unsettled }) => syncedCodec.pack(unsettled),
  read: (raw) => {
    const unsettled = syncedCodec.read(raw);
    return unsettled === undefined ? {} : { unsettled };
  },
};
