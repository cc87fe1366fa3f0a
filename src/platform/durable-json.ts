// Small JSON state with one owner, kept by lowdb. lowdb's own file adapter doesn't fsync; this one
// does.
import { dirname } from "node:path";
import { Low, type Adapter } from "lowdb";
import { FsError } from "../domain/errno.ts";
import { syncDirectory, writeAll, type Disk } from "./disk/disk.ts";
import type { Random } from "./random.ts";

export interface DurableJsonPlace {
  readonly disk: Disk;
  /** For the names of temporary files. */
  readonly random: Random;
  /** Of the file; 0600 unless said. */
  readonly mode?: number;
}

/** Writes a temporary file, syncs it, renames it over the old one and syncs the directory. */
class DurableJsonFile<T> implements Adapter<T> {
  readonly #path: string;
  readonly #on: DurableJsonPlace;

  constructor(path: string, on: DurableJsonPlace) {
    this.#path = path;
    this.#on = on;
  }

  async read(): Promise<T | null> {
    let text: string;
    try {
      text = (await this.#on.disk.readWhole(this.#path)).toString("utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      throw new FsError("EIO", `${this.#path} is not valid JSON; restore or remove it`, {
        cause: error,
      });
    }
  }

  async write(data: T): Promise<void> {
    const { disk, random, mode = 0o600 } = this.#on;
    const directory = dirname(this.#path);
    await disk.makeDirectory(directory);
    const temporary = `${this.#path}.${random.bytes(6).toString("hex")}.tmp`;
    try {
      const file = await disk.open(temporary, "create", mode);
      try {
        await writeAll(file, Buffer.from(`${JSON.stringify(data, null, 2)}\n`), 0);
        await file.sync();
      } finally {
        await file.close();
      }
      await disk.rename(temporary, this.#path);
    } catch (error) {
      await disk.remove(temporary).catch(() => undefined);
      throw error;
    }
    await syncDirectory(disk, directory);
  }
}

/** Opens (or begins) the JSON file at `path`. Call `write()` to save. */
export async function openDurableJson<T>(
  path: string,
  defaults: T,
  on: DurableJsonPlace,
): Promise<Low<T>> {
  const db = new Low<T>(new DurableJsonFile<T>(path, on), defaults);
  await db.read();
  return db;
}
