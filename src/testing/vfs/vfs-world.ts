// What the promises of Vfs are tested with: an empty file system, and the shorthands of its users.
import type { ExecutionContext } from "ava";
import { ROOT_CALLER, S_IFREG } from "../../domain/attributes.ts";
import { FsError, type ErrnoName } from "../../domain/errno.ts";
import { ROOT_INO, type Ino } from "../../domain/ids.ts";
import { toName } from "../../domain/name.ts";
import type { DirEntry } from "../../protocol/meta/meta-service.ts";
import { O_CREAT, O_EXCL, O_RDWR, type OpenResult, type Vfs } from "../../vfs/vfs.ts";

export const root = ROOT_CALLER;
export const FILE = S_IFREG | 0o644;

export class VfsWorld {
  readonly vfs: Vfs;

  constructor(vfs: Vfs) {
    this.vfs = vfs;
  }

  /** A new file with this text, open to read and write. */
  async file(name: string, text = "", parent: Ino = ROOT_INO): Promise<OpenResult> {
    const flags = O_RDWR | O_CREAT | O_EXCL;
    const opened = await this.vfs.create(root, parent, toName(name), FILE, flags);
    if (text !== "") await this.put(opened.fh, text);
    return opened;
  }

  async put(fh: number, text: string, offset = 0): Promise<void> {
    await this.vfs.write(fh, offset, Buffer.from(text), false);
  }

  async directory(name: string, parent: Ino = ROOT_INO): Promise<Ino> {
    return (await this.vfs.mkdir(root, parent, toName(name), 0o755)).ino;
  }

  async ino(name: string, parent: Ino = ROOT_INO): Promise<Ino> {
    return (await this.vfs.lookup(root, parent, toName(name))).ino;
  }

  async nlink(ino: Ino): Promise<number> {
    return (await this.vfs.getattr(root, ino)).nlink;
  }

  async text(fh: number, offset = 0, sizeBytes = 1 << 16): Promise<string> {
    return Buffer.concat(await this.vfs.read(fh, offset, sizeBytes)).toString("latin1");
  }

  /** The whole directory, page by page. */
  async list(ino: Ino, withAttrs = false): Promise<DirEntry[]> {
    const fh = await this.vfs.opendir(root, ino);
    const all: DirEntry[] = [];
    for (;;) {
      const page = await this.vfs.readdir(fh, all.at(-1)?.cookie ?? 0, withAttrs);
      if (page.length === 0) break;
      all.push(...page);
    }
    this.vfs.releasedir(fh);
    return all;
  }

  /** Names in `ino` without the dots, sorted. */
  async names(ino: Ino = ROOT_INO): Promise<string[]> {
    const entries = await this.list(ino);
    return entries
      .map(({ name }): string => name)
      .filter((name) => name !== "." && name !== "..")
      .sort();
  }
}

/** A promise, and how it is tested in a world of its own. */
export type VfsPromises = Readonly<
  Record<string, (t: ExecutionContext, world: VfsWorld, vfs: Vfs) => Promise<void>>
>;

/** `ask` fails with `code`, at once or later. */
export async function fails(
  t: ExecutionContext,
  code: ErrnoName,
  ask: () => unknown,
): Promise<void> {
  const error: unknown = await t.throwsAsync(async () => ask());
  if (error instanceof FsError) t.is(error.code, code, error.message);
  else t.fail(`expected ${code}, got ${String(error)}`);
}
