// Renames. A file that takes another's place has all of its bytes on disk before, those that this
// client hasn't sent yet among them: after a power cut the name has one of the two, whole.
import type { Caller } from "../../domain/attributes.ts";
import { FsError, isFsError } from "../../domain/errno.ts";
import type { Ino, Name } from "../../domain/ids.ts";
import type { MetaService } from "../../protocol/meta/meta-service.ts";
import type { FileDurability } from "../write/file-durability.ts";
import type { Writeback } from "../write/writeback.ts";
import { MAX_RENAME_ATTEMPTS } from "./limits.ts";
import type { OpenFiles } from "./open-files.ts";

export interface RenameServices {
  readonly meta: Pick<MetaService, "lookup" | "rename">;
  readonly durability: Pick<FileDurability, "syncFile">;
  readonly writeback: Pick<Writeback, "isEmpty">;
}

interface Entry {
  readonly parent: Ino;
  readonly name: Name;
}

export class ReplacingRename {
  readonly #services: RenameServices;
  readonly #files: OpenFiles;

  constructor(services: RenameServices, files: OpenFiles) {
    this.#services = services;
    this.#files = files;
  }

  /** @throws FsError of rename, or why the file's bytes can't be on disk */
  async rename(caller: Caller, from: Entry, to: Entry, flags: number): Promise<void> {
    const { meta, durability } = this.#services;
    if (flags === 0) await this.#commitBytesOf(caller, from);
    let synced: Ino | undefined;
    for (let attempt = 0; attempt < MAX_RENAME_ATTEMPTS; attempt += 1) {
      const { unsettled } = await meta.rename(
        ...([caller, from.parent, from.name, to.parent, to.name, flags] as const),
        synced,
      );
      if (unsettled === undefined) return;
      await durability.syncFile(unsettled);
      synced = unsettled;
    }
    throw new FsError("EBUSY", "the name has another file each time that it is to be replaced");
  }

  /** The name is looked up only while there is a file here with bytes that weren't sent. */
  async #commitBytesOf(caller: Caller, { parent, name }: Entry): Promise<void> {
    if (this.#services.writeback.isEmpty) return;
    let ino: Ino;
    try {
      ({ ino } = await this.#services.meta.lookup(caller, parent, name));
    } catch (error) {
      // The rename itself says what is wrong.
      if (isFsError(error)) return;
      throw error;
    }
    const writer = this.#files.get(ino)?.writer;
    await writer?.flush();
    if (writer?.failure !== undefined) throw writer.failure;
  }
}
