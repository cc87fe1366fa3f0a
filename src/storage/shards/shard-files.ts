// Where a node's larger shards stand as files: one folder a placement group, a folder for those
// that are arriving, and one for what was found spoilt. Knows paths and directory entries, no
// index.
import { dirname, join } from "node:path";
import { FsError } from "../../domain/errno.ts";
import { syncDirectory, writeAll, type Disk, type DiskFile } from "../../platform/disk/disk.ts";
import { formatShardId, parseShardId, type ShardId } from "../../domain/ids.ts";

export class ShardFiles {
  readonly #disk: Disk;
  readonly #shardsDir: string;
  readonly #incomingDir: string;
  readonly #quarantineDir: string;
  /** Group folders known to stand. */
  readonly #made = new Set<string>();
  /** Directories all of whose entries are on disk, or will be when their sync under way is done. */
  readonly #cleanDirs = new Set<string>();
  readonly #syncingDirs = new Map<string, Promise<boolean>>();
  #sequence = 0;
  #quarantined = 0;

  private constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#shardsDir = join(directory, "shards");
    this.#incomingDir = join(directory, "incoming");
    this.#quarantineDir = join(directory, "quarantine");
  }

  /** Opens the folders in `directory` and removes what was arriving when the node last stopped. */
  static async open(disk: Disk, directory: string): Promise<ShardFiles> {
    const files = new ShardFiles(disk, directory);
    await disk.removeTree(files.#incomingDir);
    for (const dir of [files.#shardsDir, files.#incomingDir, files.#quarantineDir]) {
      await disk.makeDirectory(dir);
    }
    files.#quarantined = (await disk.list(files.#quarantineDir)).length;
    await syncDirectory(disk, directory);
    // The way to it may be as new. What this process may not open others have made.
    for (let above = dirname(directory); ; above = dirname(above)) {
      const isSynced = await syncDirectory(disk, above).then(
        () => true,
        () => false,
      );
      if (!isSynced || above === dirname(above)) return files;
    }
  }

  get quarantined(): number {
    return this.#quarantined;
  }

  path(id: ShardId): string {
    return join(this.#groupDir(id.pool, id.pg), fileName(id));
  }

  /** A new file for bytes that arrive. */
  openIncoming(): { file: DiskFile; path: string } {
    const path = join(this.#incomingDir, String(this.#sequence++));
    return { file: this.#disk.openSync(path, "create", 0o640), path };
  }

  /**
   * Gives an arrived file its place; a file that stood there without an index entry is replaced.
   */
  accept(incomingPath: string, id: ShardId): void {
    const dir = this.#groupDir(id.pool, id.pg);
    if (!this.#made.has(dir)) {
      this.#disk.makeDirectorySync(dir);
      this.#made.add(dir);
      this.#cleanDirs.delete(dirname(dir));
      this.#cleanDirs.delete(this.#shardsDir);
    }
    this.#disk.renameSync(incomingPath, join(dir, fileName(id)));
    this.#cleanDirs.delete(dir);
  }

  discard(incomingPath: string): void {
    this.#disk.removeSync(incomingPath);
  }

  /** @throws FsError ENOENT when the file is gone */
  openForReading(id: ShardId): DiskFile {
    try {
      return this.#disk.openSync(this.path(id), "read");
    } catch (error) {
      throw fileError(error, id);
    }
  }

  /** True when the file stands and has `sizeBytes`. */
  stands(id: ShardId, sizeBytes: number): boolean {
    return this.#disk.factsSync(this.path(id))?.sizeBytes === sizeBytes;
  }

  /** A missing file is no error. */
  async remove(id: ShardId): Promise<void> {
    try {
      await this.#disk.remove(this.path(id));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw fileError(error, id);
    }
  }

  /**
   * Brings a file's bytes to disk; false when the disk has failed to.
   * @throws FsError ENOENT, EIO: it can't be opened
   */
  async syncFile(id: ShardId): Promise<boolean> {
    try {
      return await this.#isFlushed(this.path(id), (file) => file.datasync());
    } catch (error) {
      throw fileError(error, id);
    }
  }

  /**
   * Brings the directory entries of `ids`, and the folders above them, to disk, where this process
   * hasn't done so since they last changed; false when the disk has failed to.
   * Throws when one can't be opened.
   */
  async syncFolders(ids: readonly ShardId[]): Promise<boolean> {
    const dirs = new Set(ids.map((id) => this.#groupDir(id.pool, id.pg)));
    const above = new Set([...dirs].map((dir) => dirname(dir)));
    for (const dir of [...dirs, ...above, this.#shardsDir]) {
      if (!(await this.#syncFolder(dir))) return false;
    }
    return true;
  }

  async #syncFolder(dir: string): Promise<boolean> {
    if (this.#cleanDirs.has(dir)) return (await this.#syncingDirs.get(dir)) ?? true;
    this.#cleanDirs.add(dir);
    const syncing = this.#isFlushed(dir, (folder) => folder.sync());
    this.#syncingDirs.set(dir, syncing);
    let isOnDisk = false;
    try {
      isOnDisk = await syncing;
    } finally {
      if (!isOnDisk) this.#cleanDirs.delete(dir);
      if (this.#syncingDirs.get(dir) === syncing) this.#syncingDirs.delete(dir);
    }
    return isOnDisk;
  }

  /** False when the disk fails to keep what it was given; throws when that can't be opened. */
  async #isFlushed(path: string, flush: (file: DiskFile) => Promise<void>): Promise<boolean> {
    const file = await this.#disk.open(path, "read");
    try {
      await flush(file);
      return true;
    } catch {
      return false;
    } finally {
      await file.close();
    }
  }

  /** Moves the file, or else `packedBytes`, aside, where it is kept for people to look at. */
  async quarantine(id: ShardId, packedBytes: Uint8Array | undefined, atMs: number): Promise<void> {
    const aside = join(this.#quarantineDir, `${formatShardId(id)}.${atMs}`);
    try {
      if (packedBytes === undefined) await this.#disk.rename(this.path(id), aside);
      else await this.#writeAside(aside, packedBytes);
      this.#quarantined++;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw fileError(error, id);
    }
  }

  async #writeAside(path: string, bytes: Uint8Array): Promise<void> {
    const file = await this.#disk.open(path, "replace");
    try {
      await writeAll(file, bytes, 0);
    } finally {
      await file.close();
    }
  }

  /** Files of a group's folder that have stood there since before `beforeMs` (wall clock). */
  async olderFiles(pool: number, pg: number, beforeMs: number): Promise<ShardId[]> {
    const dir = this.#groupDir(pool, pg);
    const found: ShardId[] = [];
    for (const name of await this.#disk.list(dir)) {
      const id = parseShardId(`${pool.toString(16)}-${pg.toString(16)}-${name}`);
      if (id === undefined) continue;
      const facts = await this.#disk.facts(join(dir, name)).catch(() => undefined);
      if (facts !== undefined && facts.changedMs < beforeMs) found.push(id);
    }
    return found;
  }

  /** Groups that have a folder, whether anything is in it or not. */
  async groups(): Promise<{ pool: number; pg: number }[]> {
    const groups: { pool: number; pg: number }[] = [];
    for (const pool of await this.#disk.list(this.#shardsDir)) {
      for (const pg of await this.#disk.list(join(this.#shardsDir, pool))) {
        groups.push({ pool: Number.parseInt(pool, 16), pg: Number.parseInt(pg, 16) });
      }
    }
    return groups;
  }

  #groupDir(pool: number, pg: number): string {
    return join(this.#shardsDir, groupFolder(pool, pg));
  }
}

function groupFolder(pool: number, pg: number): string {
  return join(pool.toString(16), pg.toString(16));
}

/** Where a shard's file stands below a node's data directory. */
export function shardPath(id: ShardId): string {
  return join("shards", groupFolder(id.pool, id.pg), fileName(id));
}

/** slice-index-slot: pool and group are the folders'. */
function fileName(id: ShardId): string {
  return `${id.slice.toString(16)}-${id.index.toString(16)}-${id.slot.toString(16)}`;
}

/** What a failed call on a shard's file means. */
export function fileError(error: unknown, id: ShardId): FsError {
  if (error instanceof FsError) return error;
  const { code } = error as NodeJS.ErrnoException;
  const name = formatShardId(id);
  if (code === "ENOENT") return new FsError("ENOENT", `file of shard ${name} is gone`);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new FsError("ENOSPC", "the node's disk is full", { cause: error });
  }
  return new FsError("EIO", `file of shard ${name} cannot be used`, { cause: error });
}
