// fuse-native's operations on open files, and on the durability of directories.
import { FsError, isFsError } from "../../domain/errno.ts";
import { O_CREAT, O_EXCL, O_RDWR, type OpenResult } from "../../vfs/vfs.ts";
import { answerWith, type FuseNativeContext } from "./context.ts";
import type { Answer, FuseNativeOperations } from "./package.ts";

type FileOperations = Pick<
  FuseNativeOperations,
  "open" | "create" | "read" | "write" | "flush" | "release" | "fsync" | "fsyncdir"
>;

export function fileOperations(context: FuseNativeContext): FileOperations {
  const { vfs, caller, table, answers, handles } = context;
  const hand = (opened: OpenResult): number => {
    handles.set(opened.fh, opened.attr.ino);
    return opened.fh;
  };
  const letGo = async (fh: number): Promise<void> => {
    handles.delete(fh);
    await vfs.release(fh);
  };
  const onHandle = (name: string, answer: Answer, work: () => Promise<void>): void =>
    answerWith(context, name, answer, work);
  /** Nobody is left to be told: the Vfs has said what is to be said of data that wasn't kept. */
  const letGoUnseen = (fh: number): void => {
    letGo(fh).catch(() => undefined);
  };
  return {
    open(path, flags, answer) {
      const open = (): Promise<number> =>
        table.resolving(async (walk) => hand(await vfs.open(caller, await walk.ino(path), flags)));
      answerWith(context, "open", answer, open, letGoUnseen);
    },
    create(path, mode, answer) {
      const create = (): Promise<number> => createFile(context, path, mode).then(hand);
      answerWith(context, "create", answer, create, letGoUnseen);
    },
    read(_path, fh, buffer, lengthBytes, offset, answer) {
      answers.run("read", () => vfs.read(fh, offset, lengthBytes), {
        done(pieces) {
          let filled = 0;
          for (const piece of pieces) {
            buffer.set(piece, filled);
            filled += piece.length;
          }
          answer(filled);
        },
        failed: answer,
      });
    },
    write(_path, fh, buffer, lengthBytes, offset, answer) {
      // A copy: the buffer is gone when the deadline answers before the Vfs has taken the bytes.
      const data = new Uint8Array(buffer.subarray(0, lengthBytes));
      answers.run("write", () => vfs.write(fh, offset, data, false), {
        done: (written) => answer(written),
        failed: answer,
      });
    },
    flush: (_path, fh, answer) => onHandle("flush", answer, async () => vfs.flush(fh)),
    release: (_path, fh, answer) => onHandle("release", answer, () => letGo(fh)),
    fsync: (_path, dataOnly, fh, answer) =>
      onHandle("fsync", answer, async () => vfs.fsync(fh, dataOnly !== 0)),
    fsyncdir(path, dataOnly, _fh, answer) {
      if (dataOnly !== 0) {
        answerWith(context, "fsyncdir", answer, async () => vfs.syncfs());
        return;
      }
      answerWith(context, "fsyncdir", answer, () =>
        table.resolving(async (walk) => {
          const fh = await vfs.opendir(caller, await walk.ino(path));
          try {
            await vfs.fsyncdir(fh);
          } finally {
            vfs.releasedir(fh);
          }
        }),
      );
    },
  };
}

/**
 * The flags of open(2) aren't told, so whether it must be new isn't known. The kernel has just seen
 * that the name isn't there; when it is there after all, ESTALE makes the kernel look again and
 * decide itself.
 * @throws FsError ESTALE
 */
function createFile(context: FuseNativeContext, path: string, mode: number): Promise<OpenResult> {
  const { vfs, caller, table } = context;
  return table.resolving(async (walk) => {
    const place = await walk.place(path);
    try {
      const flags = O_RDWR | O_CREAT | O_EXCL;
      const opened = await vfs.create(caller, place.parent, place.name, mode, flags);
      table.adopt(place, opened.attr.ino);
      return opened;
    } catch (cause) {
      if (!isFsError(cause, "EEXIST")) throw cause;
      table.drop(place);
      throw new FsError("ESTALE", `${path} has been made by somebody else`, { cause });
    }
  });
}
