// Access tokens: 256 random bits that only their owner has; the server keeps a hash.
import { createHash } from "node:crypto";
import type { Random } from "../platform/random.ts";

const TOKEN_BYTES = 32;
/** Tells a dfs token from others where one turns up in a log or a leak scanner. */
const PREFIX = "dfs_";
const TOKEN = /^dfs_[A-Za-z0-9_-]{43}$/;

export interface MintedToken {
  /** Shown once, to its owner. */
  readonly token: string;
  /** What the server keeps. */
  readonly hash: string;
}

export function mintToken(random: Random): MintedToken {
  const token = PREFIX + random.bytes(TOKEN_BYTES).toString("base64url");
  return { token, hash: hashToken(token) };
}

/** SHA-256 in hex: with 256 random bits there is nothing to guess, so no slow hash is needed. */
export function hashToken(token: string): string {
  return createHash("sha256").update(token, "latin1").digest("hex");
}

/** The token of an `Authorization: Bearer …` header; undefined when there is none of our form. */
export function bearerToken(header: string | undefined): string | undefined {
  const token = header?.startsWith("Bearer ") === true ? header.slice(7).trim() : "";
  return TOKEN.test(token) ? token : undefined;
}
