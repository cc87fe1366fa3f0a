// Operations on open directories.
import { FsError } from "../../domain/errno.ts";
import type { DirEntry } from "../../protocol/meta/meta-service.ts";
import type { FileHandle, MaybePromise } from "../../vfs/vfs.ts";
import { DirectoryStream } from "./directory-stream.ts";
import type { Frame } from "./frame.ts";
import { encodeNothing, thenDo, type Operation, type OperationContext } from "./operation.ts";
import { countsAsLookup, type ReplyWriter } from "./reply-writer.ts";
import { FSYNC_DATA_ONLY, MAX_REQUEST_DATA_BYTES } from "./wire.ts";

function closeStream({ vfs, directories }: OperationContext, fh: FileHandle): void {
  directories.get(fh)?.drop();
  directories.delete(fh);
  vfs.releasedir(fh);
}

export const opendir: Operation<FileHandle> = {
  name: "OPENDIR",
  minBodyBytes: 8,
  run({ vfs, directories }, frame) {
    return thenDo(vfs.opendir(frame.caller, frame.ino), (fh) => {
      directories.set(fh, new DirectoryStream(vfs, fh));
      return fh;
    });
  },
  encode: (reply, fh) => reply.putOpenOut(0, fh, 0),
  discard: closeStream,
};

function runReaddir(
  { directories }: OperationContext,
  frame: Frame,
  plus: boolean,
): MaybePromise<readonly DirEntry[]> {
  const fh = frame.u64(0);
  const stream = directories.get(fh);
  if (stream === undefined) throw new FsError("EBADF", `no open directory ${fh}`);
  return stream.read(frame.u64(8), Math.min(frame.u32(16), MAX_REQUEST_DATA_BYTES), plus);
}

function encodeEntries(reply: ReplyWriter, entries: readonly DirEntry[], plus: boolean): number {
  let position = 0;
  for (const entry of entries) position = reply.putDirent(position, entry, plus);
  return position;
}

export const readdir: Operation<readonly DirEntry[]> = {
  name: "READDIR",
  minBodyBytes: 40,
  run: (context, frame) => runReaddir(context, frame, false),
  encode: (reply, entries) => encodeEntries(reply, entries, false),
};

export const readdirplus: Operation<readonly DirEntry[]> = {
  name: "READDIRPLUS",
  minBodyBytes: 40,
  run: (context, frame) => runReaddir(context, frame, true),
  encode: (reply, entries) => encodeEntries(reply, entries, true),
  discard({ vfs }, entries) {
    for (const entry of entries) if (countsAsLookup(entry)) vfs.forget(entry.ino, 1);
  },
};

export const releasedir: Operation<void> = {
  name: "RELEASEDIR",
  minBodyBytes: 24,
  run: (context, frame) => closeStream(context, frame.u64(0)),
  encode: encodeNothing,
};

/**
 * The kernel passes syncfs(2) on for few file systems, so fdatasync(2) of a directory stands in for
 * it: an entry is no data, and whoever wants it on disk calls fsync.
 */
export const fsyncdir: Operation<void> = {
  name: "FSYNCDIR",
  minBodyBytes: 16,
  run({ vfs }, frame) {
    const dataOnly = (frame.u32(8) & FSYNC_DATA_ONLY) !== 0;
    return dataOnly ? vfs.syncfs() : vfs.fsyncdir(frame.u64(0));
  },
  encode: encodeNothing,
};
