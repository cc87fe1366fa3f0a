// Messages to the kernel that nobody asked for: throw away what you have cached.
import type { Ino, Name } from "../../domain/ids.ts";
import { NOTIFY_INVAL_ENTRY, NOTIFY_INVAL_INODE, OUT_HEADER_BYTES } from "./wire.ts";

/** A notification is a reply to no request: unique 0, its code where the error stands. */
function begin(lengthBytes: number, code: number): Buffer {
  const message = Buffer.alloc(lengthBytes);
  message.writeUInt32LE(lengthBytes, 0);
  message.writeInt32LE(code, 4);
  return message;
}

/** Attributes and all pages of `ino` are dropped. */
export function encodeInvalidateInode(ino: Ino): Buffer {
  const message = begin(OUT_HEADER_BYTES + 24, NOTIFY_INVAL_INODE);
  message.writeBigUInt64LE(BigInt(ino), 16);
  // Offset 0 and length 0: from the start to the end.
  return message;
}

/** The name `name` in `parent` is looked up again when next used. */
export function encodeInvalidateEntry(parent: Ino, name: Name): Buffer {
  const message = begin(OUT_HEADER_BYTES + 16 + name.length + 1, NOTIFY_INVAL_ENTRY);
  message.writeBigUInt64LE(BigInt(parent), 16);
  message.writeUInt32LE(name.length, 24);
  message.write(name, 32, "latin1");
  return message;
}
