// Advisory locks as they travel. Offsets are 64-bit integers of MessagePack.
import { LOCK_END, type LockOwner, type LockRange } from "../../domain/file-lock.ts";
import type { LockConflict, LockQuery, LockReply, LockRequest } from "./meta-service.ts";
import {
  malformed,
  readCount,
  readFlag,
  readList,
  readText,
  type Codec,
} from "../rpc/wire-readers.ts";
import { attrCodec, readIno } from "./wire-values.ts";

const OWNER = /^[0-9a-f]{16}$/;

function readRange(start: unknown, end: unknown): LockRange {
  const valid = typeof start === "bigint" && typeof end === "bigint";
  if (!valid || start < 0n || start >= end || end > LOCK_END) throw malformed("range of a lock");
  return { start, end };
}

function readPid(value: unknown): number {
  const pid = readCount(value, "process");
  if (pid >= 2 ** 32) throw malformed("process");
  return pid;
}

function readOwner(value: unknown): LockOwner {
  const text = readText(value, 16, "lock owner");
  if (!OWNER.test(text)) throw malformed("lock owner");
  return text as LockOwner; // sixteen hex digits
}

function readQuery<T extends string>(
  fields: readonly unknown[],
  types: readonly T[],
): Omit<LockQuery, "type"> & { type: T } {
  const [ino, space, owner, type, start, end] = fields;
  const known = types.find((candidate) => candidate === type);
  if (known === undefined) throw malformed("type of lock");
  if (space !== "fcntl" && space !== "flock") throw malformed("space of a lock");
  return {
    ino: readIno(ino),
    space,
    owner: readOwner(owner),
    type: known,
    ...readRange(start, end),
  };
}

function packQuery(query: LockQuery | LockRequest): unknown[] {
  return [query.ino, query.space, query.owner, query.type, query.start, query.end];
}

export const lockQueryCodec: Codec<LockQuery> = {
  pack: packQuery,
  read: (raw) => readQuery(readList(raw, 6, "lock query"), ["read", "write"]),
};

export const lockRequestCodec: Codec<LockRequest> = {
  pack: (request) => [...packQuery(request), request.pid, request.wait],
  read: (raw) => {
    const fields = readList(raw, 8, "lock request");
    return {
      ...readQuery(fields, ["read", "write", "unlock"]),
      pid: readPid(fields[6]),
      wait: readCount(fields[7], "wait"),
    };
  },
};

export const lockConflictCodec: Codec<LockConflict | undefined> = {
  pack: (lock) => (lock === undefined ? null : [lock.type, lock.start, lock.end, lock.pid]),
  read: (raw) => {
    if (raw === null) return undefined;
    const [type, start, end, pid] = readList(raw, 4, "lock");
    if (type !== "read" && type !== "write") throw malformed("type of lock");
    return { type, ...readRange(start, end), pid: readCount(pid, "process") };
  },
};

export const lockReplyCodec: Codec<LockReply> = {
  pack: ({ granted, attr }) => (attr === undefined ? [granted] : [granted, attrCodec.pack(attr)]),
  read: (raw) => {
    const fields = readList(raw, 2, "lock reply");
    const granted = readFlag(fields[0], "granted");
    return fields.length < 2 ? { granted } : { granted, attr: attrCodec.read(fields[1]) };
  },
};
