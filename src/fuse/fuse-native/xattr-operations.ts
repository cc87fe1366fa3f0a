// fuse-native's operations on extended attributes. Their names, unlike paths, cross as UTF-8.
import { ERRNO, FsError } from "../../domain/errno.ts";
import { answerWith, type FuseNativeContext } from "./context.ts";
import type { FuseNativeOperations, FuseNativeXattr } from "./package.ts";

type XattrOperations = Pick<
  FuseNativeOperations,
  "setxattr" | "getxattr" | "listxattr" | "removexattr"
>;

/** File capabilities have no effect on a mount with nosuid, which all of ours are. */
const FILE_CAPABILITIES = "security.capability";
/** What bytes that aren't UTF-8 have become when they arrive. */
const REPLACEMENT = "\ufffd";

export function xattrOperations(context: FuseNativeContext): XattrOperations {
  const { vfs, caller, table } = context;
  return {
    setxattr(path, name, value, _position, flags, answer) {
      // A copy: the buffer is gone once this is answered.
      const bytes = new Uint8Array(value);
      answerWith(context, "setxattr", answer, async () => {
        const key = storableKey(name);
        await table.resolving(async (walk) =>
          vfs.setxattr(caller, await walk.ino(path), key, bytes, flags),
        );
      });
    },
    getxattr(path, name, _position, answer) {
      answerWith(context, "getxattr", answer, async () => {
        // The kernel asks before every write: not worth a question to a server.
        if (name === FILE_CAPABILITIES) throw new FsError("ENODATA", "no file capabilities");
        const key = keyOf(name);
        return table.resolving(
          async (walk) => new XattrAnswer(await vfs.getxattr(caller, await walk.ino(path), key)),
        );
      });
    },
    listxattr(path, answer) {
      const list = (): Promise<string[]> =>
        table.resolving(async (walk) => {
          const keys = await vfs.listxattr(caller, await walk.ino(path));
          const names = keys.map((key) => Buffer.from(key, "latin1").toString("utf8"));
          return names.filter((name) => !name.includes(REPLACEMENT));
        });
      const done = (names: string[]): void => {
        try {
          answer(0, names);
        } catch (cause) {
          // Its way of finding that they don't fit into the caller's buffer.
          throw new FsError("ERANGE", "the names don't fit", { cause });
        }
      };
      context.answers.run("listxattr", list, { done, failed: answer });
    },
    removexattr(path, name, answer) {
      answerWith(context, "removexattr", answer, async () => {
        const key = keyOf(name);
        await table.resolving(async (walk) => vfs.removexattr(caller, await walk.ino(path), key));
      });
    },
  };
}

/**
 * A value in the shape of a Buffer. The package copies it into the caller's buffer, whose size it
 * doesn't tell, and then answers with its length: ERANGE has to be that length when it doesn't fit.
 */
class XattrAnswer implements FuseNativeXattr {
  length: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.length = bytes.length;
  }

  copy(target: Uint8Array): void {
    // An empty one asks for the length.
    if (target.length === 0) return;
    if (this.#bytes.length > target.length) this.length = -ERRNO.ERANGE;
    else target.set(this.#bytes);
  }
}

/**
 * The name's bytes, one character each, as the Vfs has them.
 * @throws FsError EINVAL for one that isn't UTF-8; EOPNOTSUPP for ACLs, which libfuse 2 doesn't
 * apply
 */
function keyOf(name: string): string {
  if (name.includes(REPLACEMENT)) {
    throw new FsError("EINVAL", "fuse-native can't hand over names that aren't UTF-8");
  }
  if (name.startsWith("system.")) throw new FsError("EOPNOTSUPP", `${name} isn't supported`);
  return Buffer.from(name, "utf8").toString("latin1");
}

/** @throws FsError EOPNOTSUPP for what is never kept */
function storableKey(name: string): string {
  if (name === FILE_CAPABILITIES) throw new FsError("EOPNOTSUPP", `${name} isn't supported`);
  return keyOf(name);
}
