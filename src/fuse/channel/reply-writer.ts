// Encodes replies into the reply area of the pool. A reply is sent before the next one is begun.
import { isRegular, type Attr, type StatFs } from "../../domain/attributes.ts";
import { MAX_NAME_BYTES } from "../../domain/limits.ts";
import type { DirEntry } from "../../protocol/meta/meta-service.ts";
import type { ToldAttributes } from "../../vfs/coherence/told-attributes.ts";
import {
  ATTR_OUT_BYTES,
  DIRENT_BYTES,
  ENTRY_OUT_BYTES,
  OPEN_OUT_BYTES,
  OUT_HEADER_BYTES,
  STATFS_OUT_BYTES,
} from "./wire.ts";

const TWO_32 = 2 ** 32;
/** The page of all the machines this runs on; programs size their buffers by it. */
const PREFERRED_IO_BYTES = 4096;

/** A time span as the kernel takes it. */
interface Validity {
  readonly sec: number;
  readonly nsec: number;
}

export interface ReplyTimeouts {
  readonly attrMs: number;
  readonly entryMs: number;
}

function toValidity(timeoutMs: number): Validity {
  const sec = Math.floor(timeoutMs / 1000);
  return { sec, nsec: Math.floor((timeoutMs - sec * 1000) * 1e6) };
}

/** Bytes that an entry takes in a READDIR (or READDIRPLUS) reply, padding included. */
export function direntBytes(entry: DirEntry, plus: boolean): number {
  const record = (DIRENT_BYTES + entry.name.length + 7) & ~7;
  return plus ? ENTRY_OUT_BYTES + record : record;
}

/** Whether the kernel counts this READDIRPLUS entry as a lookup. */
export function countsAsLookup(entry: DirEntry): boolean {
  return entry.attr !== undefined && entry.name !== "." && entry.name !== "..";
}

/** Each `put` writes at a position in the body and returns the position after it. */
export class ReplyWriter {
  readonly #view: DataView;
  readonly #bytes: Buffer;
  readonly #told: ToldAttributes;
  readonly #attrValid: Validity;
  readonly #entryValid: Validity;
  readonly capacityBytes: number;

  constructor(
    pool: ArrayBuffer,
    offset: number,
    lengthBytes: number,
    timeouts: ReplyTimeouts,
    told: ToldAttributes,
  ) {
    this.#told = told;
    this.#view = new DataView(pool, offset, lengthBytes);
    this.#bytes = Buffer.from(pool, offset, lengthBytes);
    this.#attrValid = toValidity(timeouts.attrMs);
    this.#entryValid = toValidity(timeouts.entryMs);
    this.capacityBytes = lengthBytes - OUT_HEADER_BYTES;
  }

  /** `error` is an errno or 0; `lengthBytes` that of the whole reply. */
  putHeader(lengthBytes: number, error: number, uniqueLow: number, uniqueHigh: number): void {
    this.#view.setUint32(0, lengthBytes, true);
    this.#view.setInt32(4, -error, true);
    this.#view.setUint32(8, uniqueLow, true);
    this.#view.setUint32(12, uniqueHigh, true);
  }

  putU16(position: number, value: number): number {
    this.#view.setUint16(OUT_HEADER_BYTES + position, value, true);
    return position + 2;
  }

  putU32(position: number, value: number): number {
    this.#view.setUint32(OUT_HEADER_BYTES + position, value, true);
    return position + 4;
  }

  /** Any safe integer; a negative one as 64-bit two's complement. */
  putI64(position: number, value: number): number {
    this.#view.setUint32(OUT_HEADER_BYTES + position, value, true);
    this.#view.setUint32(OUT_HEADER_BYTES + position + 4, Math.floor(value / TWO_32), true);
    return position + 8;
  }

  putZeroes(position: number, count: number): number {
    const start = OUT_HEADER_BYTES + position;
    this.#bytes.fill(0, start, start + count);
    return position + count;
  }

  putBytes(position: number, bytes: Uint8Array): number {
    this.#bytes.set(bytes, OUT_HEADER_BYTES + position);
    return position + bytes.length;
  }

  putText(position: number, latin1: string): number {
    return position + this.#bytes.write(latin1, OUT_HEADER_BYTES + position, "latin1");
  }

  putAttrOut(position: number, attr: Attr): number {
    this.putI64(position, this.#attrValid.sec);
    this.putU32(position + 8, this.#attrValid.nsec);
    this.putU32(position + 12, 0);
    this.#putAttr(position + 16, attr);
    return position + ATTR_OUT_BYTES;
  }

  putEntryOut(position: number, attr: Attr): number {
    this.putI64(position, attr.ino);
    this.putI64(position + 8, 0);
    this.putI64(position + 16, this.#entryValid.sec);
    this.putI64(position + 24, this.#attrValid.sec);
    this.putU32(position + 32, this.#entryValid.nsec);
    this.putU32(position + 36, this.#attrValid.nsec);
    this.#putAttr(position + 40, attr);
    return position + ENTRY_OUT_BYTES;
  }

  putOpenOut(position: number, fh: number, openFlags: number): number {
    this.putI64(position, fh);
    this.putU32(position + 8, openFlags);
    this.putU32(position + 12, 0);
    return position + OPEN_OUT_BYTES;
  }

  putStatFs(position: number, stat: StatFs): number {
    const free = Math.floor(stat.freeBytes / PREFERRED_IO_BYTES);
    this.putI64(position, Math.floor(stat.totalBytes / PREFERRED_IO_BYTES));
    this.putI64(position + 8, free);
    this.putI64(position + 16, free);
    // Inodes are made as long as there is room: what is free counts them too, as XFS does it.
    this.putI64(position + 24, stat.inodes + free);
    this.putI64(position + 32, free);
    this.putU32(position + 40, PREFERRED_IO_BYTES);
    this.putU32(position + 44, MAX_NAME_BYTES);
    this.putU32(position + 48, PREFERRED_IO_BYTES);
    this.putZeroes(position + 52, STATFS_OUT_BYTES - 52);
    return position + STATFS_OUT_BYTES;
  }

  putDirent(position: number, entry: DirEntry, plus: boolean): number {
    const end = position + direntBytes(entry, plus);
    let at = position;
    if (plus) {
      // Node id 0 says that nothing is told of this entry but its name.
      if (entry.attr !== undefined && countsAsLookup(entry)) at = this.putEntryOut(at, entry.attr);
      else at = this.putZeroes(at, ENTRY_OUT_BYTES);
    }
    at = this.putI64(at, entry.ino);
    at = this.putI64(at, entry.cookie);
    at = this.putU32(at, entry.name.length);
    at = this.putU32(at, (entry.mode >>> 12) & 0o17);
    at = this.putText(at, entry.name);
    while (at < end) this.#bytes[OUT_HEADER_BYTES + at++] = 0;
    return end;
  }

  #putAttr(position: number, attr: Attr): void {
    if (isRegular(attr.mode)) this.#told.note(attr);
    this.putI64(position, attr.ino);
    this.putI64(position + 8, attr.sizeBytes);
    this.putI64(position + 16, Math.ceil(attr.allocatedBytes / 512));
    this.putI64(position + 24, attr.atimeSec);
    this.putI64(position + 32, attr.mtimeSec);
    this.putI64(position + 40, attr.ctimeSec);
    this.putU32(position + 48, attr.atimeNsec);
    this.putU32(position + 52, attr.mtimeNsec);
    this.putU32(position + 56, attr.ctimeNsec);
    this.putU32(position + 60, attr.mode);
    this.putU32(position + 64, attr.nlink);
    this.putU32(position + 68, attr.uid);
    this.putU32(position + 72, attr.gid);
    this.putU32(position + 76, attr.rdev);
    this.putU32(position + 80, PREFERRED_IO_BYTES);
    this.putU32(position + 84, 0);
  }
}
