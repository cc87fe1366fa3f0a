// How values travel: readers that check each field of what comes from outside.
import { FsError } from "../../domain/errno.ts";

/** How one type of value travels. `read` throws FsError EPROTO for anything malformed. */
export interface Codec<T> {
  pack(value: T): unknown;
  read(raw: unknown): T;
}

export function malformed(what: string): FsError {
  return new FsError("EPROTO", `malformed message: ${what}`);
}

/** A non-negative safe integer. Throws FsError EPROTO, as all readers here do. */
export function readCount(value: unknown, what: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw malformed(what);
  return value;
}

export function readInteger(value: unknown, what: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw malformed(what);
  return value;
}

export function readFlag(value: unknown, what: string): boolean {
  if (typeof value !== "boolean") throw malformed(what);
  return value;
}

export function readText(value: unknown, maxChars: number, what: string): string {
  if (typeof value !== "string" || value.length > maxChars) throw malformed(what);
  return value;
}

export function readBytes(value: unknown, what: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw malformed(what);
  return value;
}

export function readList(value: unknown, maxLength: number, what: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length > maxLength) throw malformed(what);
  return value;
}
