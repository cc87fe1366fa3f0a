// fuse-native's operations on attributes of inodes and of the file system.
import type { Attr, AttrChanges } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { ROOT_INO } from "../../domain/ids.ts";
import { TOUCH_WINDOW_MS } from "./limits.ts";
import { answerWith, type FuseNativeContext } from "./context.ts";
import type { Answer, FuseNativeOperations } from "./package.ts";
import type { Walk } from "./path-table.ts";
import { shownAtimeMs, toFuseNativeStat, toFuseNativeStatFs } from "./stat.ts";

type AttributeOperations = Pick<
  FuseNativeOperations,
  "getattr" | "truncate" | "ftruncate" | "chown" | "chmod" | "utimens" | "statfs"
>;

/** chown(2): leave this id as it is. */
const UNCHANGED_ID = 2 ** 32 - 1;
const PERMISSION_BITS = 0o7777;

export function attributeOperations(context: FuseNativeContext): AttributeOperations {
  const { vfs, caller, table, handles } = context;
  const change = (name: string, path: string, changes: AttrChanges, answer: Answer): void => {
    answerWith(context, name, answer, () =>
      table.resolving(async (walk) => {
        await vfs.setattr(caller, await walk.ino(path), changes);
      }),
    );
  };
  return {
    getattr(path, answer) {
      answerWith(context, "getattr", answer, () =>
        table.resolving(async (walk) => toFuseNativeStat(await attrOf(context, path, walk))),
      );
    },
    truncate: (path, sizeBytes, answer) => change("truncate", path, { sizeBytes }, answer),
    ftruncate(_path, fh, sizeBytes, answer) {
      answerWith(context, "ftruncate", answer, async () => {
        const ino = handles.get(fh);
        if (ino === undefined) throw new FsError("EBADF", `no open file ${fh}`);
        await vfs.setattr(caller, ino, { sizeBytes }, fh);
      });
    },
    chmod: (path, mode, answer) => change("chmod", path, { mode: mode & PERMISSION_BITS }, answer),
    chown(path, uid, gid, answer) {
      const changes: AttrChanges = {};
      if (uid !== UNCHANGED_ID) changes.uid = uid;
      if (gid !== UNCHANGED_ID) changes.gid = gid;
      change("chown", path, changes, answer);
    },
    utimens(path, atimeMs, _alsoAtimeMs, answer) {
      answerWith(context, "utimens", answer, () =>
        table.resolving(async (walk) => touch(context, await attrOf(context, path, walk), atimeMs)),
      );
    },
    statfs(_path, answer) {
      answerWith(context, "statfs", answer, async () => toFuseNativeStatFs(await vfs.statfs()));
    },
  };
}

/** Always asked for: this is how the kernel looks names up. */
async function attrOf(
  { vfs, caller, table }: FuseNativeContext,
  path: string,
  walk: Walk,
): Promise<Attr> {
  if (path === "/") return vfs.getattr(caller, ROOT_INO);
  return table.lookup(await walk.place(path));
}

/**
 * The package hands over the access time twice and the modification time not at all, so the only
 * request that can be carried out is the one that sets both to the present. A copied access time
 * may lie in the present too, but then it is one that an inode has: that of this one, in what rsync
 * sends.
 * @throws FsError EOPNOTSUPP
 */
async function touch({ vfs, caller, clock }: FuseNativeContext, attr: Attr, atimeMs: number) {
  const ageMs = clock.nowMs() - atimeMs;
  const isOwn = atimeMs === shownAtimeMs(attr);
  if (ageMs < 0 || ageMs > TOUCH_WINDOW_MS || isOwn) {
    throw new FsError("EOPNOTSUPP", "fuse-native doesn't tell which modification time to set");
  }
  await vfs.setattr(caller, attr.ino, { atime: "now", mtime: "now" });
}
