// Small JSON state with one owner, kept by lowdb. lowdb's own file adapter doesn't fsync; this one
// does.
import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { Low, type Adapter } from "lowdb";
import { FsError } from "../domain/errno.ts";

/** Writes a temporary file, syncs it, renames it over the old one and syncs the directory. */
class DurableJsonFile<T> implements Adapter<T> {
  readonly #path: string;
  readonly #mode: number;

  constructor(path: string, mode: number) {
    this.#path = path;
    this.#mode = mode;
  }

  async read(): Promise<T | null> {
    let text: string;
    try {
      text = await readFile(this.#path, "utf8");
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
    const directory = dirname(this.#path);
    await mkdir(directory, { recursive: true });
    const temporary = `${this.#path}.${randomBytes(6).toString("hex")}.tmp`;
    try {
      const file = await open(temporary, "wx", this.#mode);
      try {
        await file.writeFile(`${JSON.stringify(data, null, 2)}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, this.#path);
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
    const handle = await open(directory, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}

/**
 * Opens (or begins) the JSON file at `path`; `mode` is that of the file. Call `write()` to save.
 */
export async function openDurableJson<T>(path: string, defaults: T, mode = 0o600): Promise<Low<T>> {
  const db = new Low<T>(new DurableJsonFile<T>(path, mode), defaults);
  await db.read();
  return db;
}
