// Operations on extended attributes. A size of 0 asks how large the answer is.
import { isAclName } from "../../domain/acl.ts";
import { FsError } from "../../domain/errno.ts";
import { MAX_XATTR_VALUE_BYTES } from "../../domain/limits.ts";
import type { MaybePromise } from "../../vfs/vfs.ts";
import { encodeNothing, thenDo, type Operation } from "./operation.ts";
import type { ReplyWriter } from "./reply-writer.ts";

/** File capabilities have no effect on a mount with nosuid, which all of ours are. */
const FILE_CAPABILITIES = "security.capability";
const NO_CAPABILITIES = new FsError("ENODATA", "no file capabilities");

/** @throws FsError EOPNOTSUPP for what is in the system namespace but no ACL */
function supportedName(name: string): string {
  if (name.startsWith("system.") && !isAclName(name)) {
    throw new FsError("EOPNOTSUPP", `${name} isn't supported`);
  }
  return name;
}

/** @throws FsError EOPNOTSUPP for what is never kept */
function storableName(name: string): string {
  if (name === FILE_CAPABILITIES) throw new FsError("EOPNOTSUPP", `${name} isn't supported`);
  return supportedName(name);
}

/** The bytes that were asked for, or only their count. */
type XattrAnswer = Uint8Array | number;

function answer(value: MaybePromise<Uint8Array>, sizeBytes: number): MaybePromise<XattrAnswer> {
  return thenDo(value, (bytes): XattrAnswer => {
    if (sizeBytes === 0) return bytes.length;
    if (bytes.length > sizeBytes) {
      throw new FsError("ERANGE", `${bytes.length} bytes don't fit in ${sizeBytes}`);
    }
    return bytes;
  });
}

function encodeAnswer(reply: ReplyWriter, result: XattrAnswer): number {
  if (typeof result === "number") return reply.putU32(reply.putU32(0, result), 0);
  return reply.putBytes(0, result);
}

export const getxattr: Operation<XattrAnswer> = {
  name: "GETXATTR",
  minBodyBytes: 10,
  run({ vfs }, frame) {
    const name = supportedName(frame.text(8));
    // The kernel asks before the first write to each file: not worth a question to a server.
    if (name === FILE_CAPABILITIES) throw NO_CAPABILITIES;
    return answer(vfs.getxattr(frame.caller, frame.ino, name), frame.u32(0));
  },
  encode: encodeAnswer,
};

export const listxattr: Operation<XattrAnswer> = {
  name: "LISTXATTR",
  minBodyBytes: 8,
  run({ vfs }, frame) {
    const sizeBytes = frame.u32(0);
    const list = thenDo(vfs.listxattr(frame.caller, frame.ino), (names) =>
      Buffer.from(names.map((name) => `${name}\0`).join(""), "latin1"),
    );
    return answer(list, sizeBytes);
  },
  encode: encodeAnswer,
};

export const setxattr: Operation<void> = {
  name: "SETXATTR",
  minBodyBytes: 10,
  run({ vfs }, frame) {
    const sizeBytes = frame.u32(0);
    if (sizeBytes > MAX_XATTR_VALUE_BYTES) throw new FsError("E2BIG", `${sizeBytes} bytes`);
    const name = storableName(frame.text(8));
    const value = new Uint8Array(frame.data(8 + name.length + 1, sizeBytes));
    return vfs.setxattr(frame.caller, frame.ino, name, value, frame.u32(4));
  },
  encode: encodeNothing,
};

export const removexattr: Operation<void> = {
  name: "REMOVEXATTR",
  minBodyBytes: 2,
  run: ({ vfs }, frame) => vfs.removexattr(frame.caller, frame.ino, supportedName(frame.text(0))),
  encode: encodeNothing,
};
