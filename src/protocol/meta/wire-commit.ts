// Requests that change a file's contents, as they travel: creation, opening, committed extents.
import { FsError } from "../../domain/errno.ts";
import type { Epoch, PoolId, SliceId } from "../../domain/ids.ts";
import { MAX_COMMIT_EXTENTS } from "./limits.ts";
import { CHUNK_BYTES, MAX_INLINE_BYTES } from "../../domain/format.ts";
import type {
  CommitReply,
  CommitRequest,
  CreateRequest,
  ExtentCommit,
  OpenAccess,
  SliceRange,
} from "./meta-service.ts";
import { readBytes, readCount, readFlag, readList, type Codec } from "../rpc/wire-readers.ts";
import { attrCodec, readIno, readTime } from "./wire-values.ts";

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

export const commitCodec: Codec<CommitRequest> = {
  pack: (request) => [
    request.ino,
    request.extents.map(packExtent),
    request.minSizeBytes,
    [request.mtime.sec, request.mtime.nsec],
    request.killPrivileges,
    request.durable,
  ],
  read: (raw) => {
    const fields = readList(raw, 6, "commit");
    return {
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
  pack: ({ attr, unsettled }) => [attrCodec.pack(attr), unsettled],
  read: (raw) => {
    const [attr, unsettled] = readList(raw, 2, "commit reply");
    return { attr: attrCodec.read(attr), unsettled: readFlag(unsettled, "unsettled") };
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
