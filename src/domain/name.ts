// File names are bytes. Here they become `Name` (latin1: one character a byte) and back.
import { FsError } from "./errno.ts";
import type { Name } from "./ids.ts";
import { MAX_NAME_BYTES } from "./limits.ts";

/**
 * Validates a name that came as latin1 text.
 * @throws FsError EINVAL (empty, NUL, "/"), ENAMETOOLONG
 */
export function toName(latin1: string): Name {
  if (latin1.length > MAX_NAME_BYTES) {
    throw new FsError("ENAMETOOLONG", `file name is longer than ${MAX_NAME_BYTES} bytes`);
  }
  if (latin1.length === 0 || latin1.includes("/") || latin1.includes("\0")) {
    throw new FsError("EINVAL", "file name is empty or has a slash or NUL in it");
  }
  return latin1 as Name;
}

/** The bytes of a UTF-8 command-line or console string as a Name. */
export function nameFromUtf8(text: string): Name {
  return toName(Buffer.from(text, "utf8").toString("latin1"));
}

/** For people: the name's bytes read as UTF-8, broken sequences replaced. */
export function displayName(name: string): string {
  return Buffer.from(name, "latin1").toString("utf8");
}
