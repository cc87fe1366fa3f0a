// How locks are kept in the engine: one record an inode, and beside each session the inodes it has
// locks on. A lock lives as long as its session, so it outlives a restart of the server; it is as
// durable as any other change. (The other way, clients claiming theirs anew after a restart, needs
// a grace period in which nobody may lock.)
import type { LockOwner, LockSpace } from "../../domain/file-lock.ts";
import type { Ino, SessionId } from "../../domain/ids.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import { keyRanges, keys, secondNumber } from "../schema/keys.ts";
import { unknownVersion } from "../schema/records.ts";
import type { HeldLock, LockList } from "./lock-list.ts";

const VERSION = 1;

/** All locks of one inode. */
export type LockTable = Readonly<Record<LockSpace, LockList>>;

const NO_LOCKS: LockTable = { fcntl: [], flock: [] };

/** Of a stored lock: session, owner, start and end in 8 bytes each, pid in 4, 1 where exclusive. */
const LOCK_BYTES = 37;

export function loadLocks(tx: ReadTransaction, ino: Ino): LockTable {
  const record = tx.get(keys.locks(ino));
  if (record === undefined) return NO_LOCKS;
  return decodeTable(record);
}

export function saveLocks(tx: Transaction, ino: Ino, before: LockTable, after: LockTable): void {
  const { fcntl, flock } = after;
  if (fcntl.length + flock.length === 0) tx.delete(keys.locks(ino));
  else tx.put(keys.locks(ino), encodeTable(after));
  const had = sessionsOf(before);
  const have = sessionsOf(after);
  for (const session of had) if (!have.has(session)) tx.delete(keys.sessionLock(session, ino));
  for (const session of have) {
    if (!had.has(session)) tx.put(keys.sessionLock(session, ino), Buffer.of(VERSION));
  }
}

/** Inodes that the session has locks on, at most `limit`. */
export function lockedInodes(tx: ReadTransaction, session: SessionId, limit: number): Ino[] {
  const range = { ...keyRanges.sessionLocks(session), limit };
  return [...tx.range(range)].map(({ key }) => secondNumber(key) as Ino);
}

/** The table without any lock of the session. */
export function withoutSession(table: LockTable, session: SessionId): LockTable {
  return {
    fcntl: table.fcntl.filter((lock) => lock.session !== session),
    flock: table.flock.filter((lock) => lock.session !== session),
  };
}

export function countLocks(table: LockTable): number {
  return table.fcntl.length + table.flock.length;
}

function sessionsOf(table: LockTable): Set<SessionId> {
  return new Set([...table.fcntl, ...table.flock].map((lock) => lock.session));
}

/** Version, number of fcntl locks (4 bytes), those, then the flocks; little-endian. */
function encodeTable({ fcntl, flock }: LockTable): Uint8Array {
  const record = Buffer.allocUnsafe(5 + (fcntl.length + flock.length) * LOCK_BYTES);
  record[0] = VERSION;
  record.writeUInt32LE(fcntl.length, 1);
  let at = 5;
  for (const lock of [...fcntl, ...flock]) {
    record.writeDoubleLE(lock.session, at);
    record.write(lock.owner, at + 8, "hex");
    record.writeBigUInt64LE(lock.start, at + 16);
    record.writeBigUInt64LE(lock.end, at + 24);
    record.writeUInt32LE(lock.pid, at + 32);
    record[at + 36] = lock.type === "write" ? 1 : 0;
    at += LOCK_BYTES;
  }
  return record;
}

/** @throws FsError EIO on an unknown version */
function decodeTable(stored: Uint8Array): LockTable {
  if (stored[0] !== VERSION) throw unknownVersion("locks", stored);
  const record = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  const locks: HeldLock[] = [];
  for (let at = 5; at < record.length; at += LOCK_BYTES) {
    locks.push({
      session: record.readDoubleLE(at) as SessionId,
      owner: record.toString("hex", at + 8, at + 16) as LockOwner,
      type: record[at + 36] === 1 ? "write" : "read",
      start: record.readBigUInt64LE(at + 16),
      end: record.readBigUInt64LE(at + 24),
      pid: record.readUInt32LE(at + 32),
    });
  }
  const fcntlCount = record.readUInt32LE(1);
  return { fcntl: locks.slice(0, fcntlCount), flock: locks.slice(fcntlCount) };
}
