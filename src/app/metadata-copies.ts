// Copies of the metadata as files of this machine, and a store made of one.
import { join } from "node:path";
import { FsError } from "../domain/errno.ts";
import { readPieces, writeCopyFile } from "../meta/copies/copy-files.ts";
import { CopyDecoder, readCopy, type CopyFacts } from "../meta/copies/copy-reader.ts";
import { loadCopy } from "../meta/copies/load-copy.ts";
import { LmdbEngine } from "../meta/engine/lmdb-engine.ts";
import { systemClock } from "../platform/clock.ts";
import { syncDirectory } from "../platform/disk/disk.ts";
import { systemDisk } from "../platform/disk/system-disk.ts";
import { systemRandom } from "../platform/random.ts";
import { openLmdbStore } from "../platform/store/open-lmdb-store.ts";
import { METADATA_DIRECTORY } from "./metadata-server.ts";

/** The name of a store that isn't whole yet. */
const UNFINISHED = ".unfinished";

/** @throws FsError as writeCopyFile */
export function saveCopy(pieces: AsyncIterable<Buffer>, path: string): Promise<CopyFacts> {
  return writeCopyFile(systemDisk, path, pieces);
}

/** Passes a copy on, and checks it on the way. @throws FsError EBADMSG */
export async function sendCopy(
  pieces: AsyncIterable<Buffer>,
  target: NodeJS.WritableStream,
): Promise<CopyFacts> {
  const decoder = new CopyDecoder();
  for await (const piece of pieces) {
    decoder.check(piece);
    if (!target.write(piece)) await new Promise((resolve) => target.once("drain", resolve));
  }
  if (decoder.facts === undefined) throw decoder.cutShort();
  return decoder.facts;
}

/** @throws FsError as readCopy */
export function checkCopy(path: string): Promise<CopyFacts> {
  return readCopy(readPieces(systemDisk, path));
}

/** As restoreMetadata, from a file. */
export function restoreFile(path: string, dataDir: string): Promise<CopyFacts> {
  return restoreMetadata(() => readPieces(systemDisk, path), dataDir);
}

/**
 * Makes a copy the metadata in `dataDir`. It is read twice: nothing is begun with a copy that isn't
 * whole, and what was begun has no name that a server would take.
 * @throws FsError EEXIST there is metadata already; as readCopy; ENOSPC, EIO
 */
export async function restoreMetadata(
  pieces: () => AsyncIterable<Uint8Array>,
  dataDir: string,
): Promise<CopyFacts> {
  const disk = systemDisk;
  const directory = join(dataDir, METADATA_DIRECTORY);
  if ((await disk.facts(directory)) !== undefined && (await disk.list(directory)).length > 0) {
    throw new FsError(
      "EEXIST",
      `${directory} holds metadata already, which was left as it is; ` +
        "name another directory, or move that one away first",
    );
  }
  const { position, incarnations } = await readCopy(pieces());
  await disk.makeDirectory(dataDir, 0o700);
  const unfinished = directory + UNFINISHED;
  await disk.removeTree(unfinished);
  await using engine = await LmdbEngine.open({
    directory: unfinished,
    clock: systemClock,
    disk,
    random: systemRandom,
    openStore: openLmdbStore,
    continues: { position, incarnations },
  });
  const facts = await loadCopy(engine, pieces());
  await engine.close();
  await disk.rename(unfinished, directory);
  await syncDirectory(disk, dataDir);
  return facts;
}
