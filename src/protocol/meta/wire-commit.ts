// Requests that change a file's contents, as they travel: creation, opening, committed extents.
import { FsError } from "../../domain/errno.ts";
import type { Epoch, PoolId, SliceId } from "../../domain/ids.ts";
import { MAX_COMMIT_EXTENTS } from "./limits.ts";
import { CHUNK_BYTES, MAX_INLINE_BYTES } from "../../domain/format.ts";
import type {
  AttrRequest,
  CommitReply,
  CommitRequest,
  CreateRequest,
  ExtentCommit,
  OpenAccess,
  SliceRange,
} from "./meta-service.ts";
import { readError } from "../rpc/control-messages.ts";
import { readBytes, readCount, readFlag, readList, type Codec } from "../rpc/wire-readers.ts";
import { attrChangesCodec, attrCodec, callerCodec, readIno, readTime } from "./wire-values.ts";

function packExtent(extent: ExtentCommit): unknown[] {
  const fields: unknown[] = [
    extent.chunk,
    extent.posInChunk,
    extent.lengthBytes,
    extent.slice,
    extent.pool,
  ];
  if (extent.inline !== undefined) fields.push(extent.inline);
  else if (extent.epoch !== undefined) fields.push(extent.epoch);
  return fields;
}

function readExtent(value: unknown): ExtentCommit {
  const fields = readList(value, 6, "extent");
  const extent: ExtentCommit = {
    chunk: readCount(fields[0], "chunk"),
    posInChunk: readCount(fields[1], "position"),
    lengthBytes: readLength(fields[2]),
    slice: readCount(fields[3], "slice") as SliceId,
    pool: readCount(fields[4], "pool") as PoolId,
  };
  if (typeof fields[5] === "number") {
    extent.epoch = readCount(fields[5], "epoch") as Epoch;
  } else if (fields.length === 6) {
    extent.inline = readBytes(fields[5], "inline bytes");
    if (extent.inline.length > MAX_INLINE_BYTES) {
      throw new FsError("EINVAL", `more than ${MAX_INLINE_BYTES} inline bytes`);
    }
  }
  return extent;
}

function readLength(value: unknown): number {
  const lengthBytes = readCount(value, "length");
  if (lengthBytes > CHUNK_BYTES) throw new FsError("EINVAL", "an extent longer than a chunk");
  return lengthBytes;
}

export const extentCommitCodec: Codec<ExtentCommit> = { pack: packExtent, read: readExtent };

function packAttrRequest({ caller, changes, handleOpen }: AttrRequest): unknown[] {
  return [callerCodec.pack(caller), attrChangesCodec.pack(changes), handleOpen];
}

function readAttrRequest(value: unknown): AttrRequest {
  const fields = readList(value, 3, "attributes of a commit");
  const changes = attrChangesCodec.read(fields[1]);
  if (changes.sizeBytes !== undefined) {
    throw new FsError("EINVAL", "a length can't be set along with a commit");
  }
  const caller = callerCodec.read(fields[0]);
  return { caller, changes, handleOpen: readFlag(fields[2], "handleOpen") };
}

export const commitCodec: Codec<CommitRequest> = {
  pack: (request) => [
    request.ino,
    request.extents.map(packExtent),
    request.minSizeBytes,
    [request.mtime.sec, request.mtime.nsec],
    request.killPrivileges,
    request.durable,
    ...(request.setattr === undefined ? [] : [packAttrRequest(request.setattr)]),
  ],
  read: (raw) => {
    const fields = readList(raw, 7, "commit");
    const setattr = fields.length === 7 ? { setattr: readAttrRequest(fields[6]) } : {};
    return {
      ...setattr,
      ino: readIno(fields[0]),
      extents: readList(fields[1], MAX_COMMIT_EXTENTS, "extents").map(readExtent),
      minSizeBytes: readCount(fields[2], "size"),
      mtime: readTime(fields[3]),
      killPrivileges: readFlag(fields[4], "killPrivileges"),
      durable: readFlag(fields[5], "durable"),
    };
  },
};

export const commitReplyCodec: Codec<CommitReply> = {
  pack: ({ attr, unsettled, refused }) => {
    const refusal = refused === undefined ? [] : [refused.code, refused.message];
    return [attrCodec.pack(attr), unsettled, ...refusal];
  },
  read: (raw) => {
    const fields = readList(raw, 4, "commit reply");
    const reply = {
      attr: attrCodec.read(fields[0]),
      unsettled: readFlag(fields[1], "unsettled"),
    };
    return fields.length < 4 ? reply : { ...reply, refused: readError(fields[2], fields[3]) };
  },
};

export const createRequestCodec: Codec<CreateRequest> = {
  pack: (request) => (request.rdev === undefined ? [request.mode] : [request.mode, request.rdev]),
  read: (raw) => {
    const fields = readList(raw, 2, "create request");
    const mode = readCount(fields[0], "mode");
    return fields[1] === undefined ? { mode } : { mode, rdev: readCount(fields[1], "rdev") };
  },
};

export const openAccessCodec: Codec<OpenAccess> = {
  pack: (access) => [access.read, access.write, access.truncate, access.execute === true],
  read: (raw) => {
    const fields = readList(raw, 4, "open access");
    return {
      read: readFlag(fields[0], "read"),
      write: readFlag(fields[1], "write"),
      truncate: readFlag(fields[2], "truncate"),
      ...(readFlag(fields[3], "execute") ? { execute: true } : {}),
    };
  },
};

export const sliceRangeCodec: Codec<SliceRange> = {
  pack: (range) => [range.first, range.count],
  read: (raw) => {
    const fields = readList(raw, 2, "slice range");
    return {
      first: readCount(fields[0], "slice") as SliceId,
      count: readCount(fields[1], "count"),
    };
  },
};
