// A program copies a file's bytes by reference to the same places of another.
import { ROOT_CALLER } from "../../domain/attributes.ts";
import type { FileHandle } from "../../vfs/vfs.ts";
import { present } from "../present.ts";
import type { SeededRandom } from "../seeded-random.ts";
import type { SimMount } from "./client-machine.ts";
import type { IsBinding } from "./file-history.ts";
import type { Judge } from "./judge.ts";
import { nameOf, type SimFile, type SimFiles } from "./sim-files.ts";
import { RECORD_BYTES, someLength } from "./stamps.ts";
import { WHOLE_BYTES } from "./whole-reads.ts";

export interface Copier {
  readonly mount: SimMount;
  readonly files: SimFiles;
  readonly judge: Judge;
  readonly random: SeededRandom;
}

/** To the open file `fh`. @throws FsError what the VFS throws */
export async function copyByReference(
  copier: Copier,
  target: SimFile,
  fh: FileHandle,
  source: SimFile,
): Promise<void> {
  const { random, judge, files, mount } = copier;
  const { process, vfs } = mount;
  const { timeline } = process.machine;
  const note = (what: string): void => timeline.note(`${process.name} ${what}`);
  const asOf = (): IsBinding => judge.asOf(timeline.nowMs);
  const { history } = target;
  const offset = random.chance(0.7) ? 0 : random.below(16) * RECORD_BYTES;
  const end = offset + (random.chance(0.5) ? WHOLE_BYTES : someLength(random));
  const operation = files.nextOperation();
  const from = (await vfs.open(ROOT_CALLER, present(source.ino), 0)).fh;
  try {
    history.beginCopy(process, operation, offset, end, source.history);
    note(`copies ${nameOf(source)} to ${nameOf(target)}: ${operation} ${offset}-${end}`);
    const places = [
      { fh: from, offset },
      { fh, offset },
    ] as const;
    const copied = await vfs.copyRange(ROOT_CALLER, ...places, end - offset);
    const { leastBytes } = source.history.takeables(asOf(), offset, end);
    const { name } = process;
    if (copied < leastBytes) judge.broken(`${name} copies ${copied} of ${leastBytes} bytes`);
    history.copied(copied);
    history.written(operation, timeline.nowMs);
    if (random.chance(0.4)) {
      await vfs.fsync(fh, false);
      history.synced(process, timeline.nowMs, asOf());
      note(`has synced ${nameOf(target)}`);
    }
    await vfs.flush(fh);
  } finally {
    await vfs.release(from);
  }
}
