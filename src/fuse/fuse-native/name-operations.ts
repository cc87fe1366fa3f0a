// fuse-native's operations on names: making, removing, renaming and listing.
import { FsError } from "../../domain/errno.ts";
import type { Ino } from "../../domain/ids.ts";
import type { Attr } from "../../domain/attributes.ts";
import { MAX_SYMLINK_BYTES } from "../../domain/limits.ts";
import { MAX_WHOLE_LISTING_ENTRIES } from "./limits.ts";
import type { DirEntry } from "../../protocol/meta/meta-service.ts";
import type { MaybePromise } from "../../vfs/vfs.ts";
import { answerWith, type FuseNativeContext } from "./context.ts";
import type { Answer, FuseNativeOperations } from "./package.ts";
import type { Place } from "./path-table.ts";
import { toEntryStat } from "./stat.ts";

type NameOperations = Pick<
  FuseNativeOperations,
  "mknod" | "mkdir" | "symlink" | "link" | "unlink" | "rmdir" | "rename"
>;
type ReadingOperations = Pick<FuseNativeOperations, "readlink" | "readdir">;

export function nameOperations(context: FuseNativeContext): NameOperations {
  const { vfs, caller, table } = context;

  const make = (
    name: string,
    path: string,
    answer: Answer,
    create: (place: Place) => MaybePromise<Attr>,
  ): void => {
    answerWith(context, name, answer, () =>
      table.resolving(async (walk) => {
        const place = await walk.place(path);
        table.adopt(place, (await create(place)).ino);
      }),
    );
  };
  const remove = (name: "unlink" | "rmdir", path: string, answer: Answer): void => {
    answerWith(context, name, answer, () =>
      table.resolving(async (walk) => {
        const place = await walk.place(path);
        await table.changing([place], () => vfs[name](caller, place.parent, place.name));
      }),
    );
  };

  return {
    mknod: (path, mode, rdev, answer) =>
      make("mknod", path, answer, ({ parent, name }) =>
        vfs.mknod(caller, parent, name, mode, rdev),
      ),
    mkdir: (path, mode, answer) =>
      make("mkdir", path, answer, ({ parent, name }) => vfs.mkdir(caller, parent, name, mode)),
    symlink: (target, path, answer) =>
      make("symlink", path, answer, ({ parent, name }) =>
        vfs.symlink(caller, parent, name, target),
      ),
    link(existing, path, answer) {
      answerWith(context, "link", answer, () =>
        table.resolving(async (walk) => {
          const place = await walk.place(path);
          const ino = await walk.ino(existing);
          const attr = await vfs.link(caller, ino, place.parent, place.name);
          table.adopt(place, attr.ino);
        }),
      );
    },
    unlink: (path, answer) => remove("unlink", path, answer),
    rmdir: (path, answer) => remove("rmdir", path, answer),
    rename(from, to, answer) {
      answerWith(context, "rename", answer, () =>
        table.resolving(async (walk) => {
          const old = await walk.place(from);
          const place = await walk.place(to);
          await table.changing([old, place], () =>
            vfs.rename(caller, old.parent, old.name, place.parent, place.name, 0),
          );
        }),
      );
    },
  };
}

export function readingOperations(context: FuseNativeContext): ReadingOperations {
  const { table } = context;
  return {
    readlink(path, answer) {
      answerWith(context, "readlink", answer, () =>
        table.resolving(async (walk) => readLink(context, await walk.ino(path))),
      );
    },
    readdir(path, answer) {
      context.answers.run(
        "readdir",
        () => table.resolving(async (walk) => listWhole(context, await walk.ino(path))),
        {
          done: (entries) =>
            answer(
              0,
              entries.map(({ name }) => name),
              entries.map(toEntryStat),
            ),
          failed: answer,
        },
      );
    },
  };
}

/** @throws FsError ENAMETOOLONG: as UTF-8, in which it crosses, it would be cut short */
async function readLink({ vfs, caller }: FuseNativeContext, ino: Ino): Promise<string> {
  const target = await vfs.readlink(caller, ino);
  if (Buffer.byteLength(target) > MAX_SYMLINK_BYTES) {
    throw new FsError("ENAMETOOLONG", "fuse-native can't hand over so long a symlink");
  }
  return target;
}

/** @throws FsError EOVERFLOW when there are too many: they all have to be in memory at once */
async function listWhole({ vfs, caller }: FuseNativeContext, ino: Ino): Promise<DirEntry[]> {
  const fh = await vfs.opendir(caller, ino);
  try {
    const entries: DirEntry[] = [];
    for (let cursor = 0; ;) {
      const page = await vfs.readdir(fh, cursor, false);
      const last = page.at(-1);
      if (last === undefined) return entries;
      for (const entry of page) entries.push(entry);
      if (entries.length > MAX_WHOLE_LISTING_ENTRIES) {
        throw new FsError("EOVERFLOW", "the directory is too large for fuse-native");
      }
      cursor = last.cookie;
    }
  } finally {
    vfs.releasedir(fh);
  }
}
