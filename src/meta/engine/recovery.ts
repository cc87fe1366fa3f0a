// After a restart: what the journals have beyond the last checkpoint goes into the database.
import type { Log } from "../../observability/log.ts";
import type { Disk } from "../../platform/disk/disk.ts";
import { journalGenerations, removeJournal, replayJournal } from "./journal.ts";
import { keyOfText } from "./layers.ts";
import type { CheckpointStore } from "./checkpoint-store.ts";

/**
 * @returns the newest generation that was ever begun; all its journals are gone
 * @throws FsError EIO when a journal was written by a newer release
 */
export async function recoverJournals(
  disk: Disk,
  directory: string,
  store: CheckpointStore,
  log: Log | undefined,
): Promise<number> {
  const { generation: applied, crc: appliedCrc } = store.appliedJournal();
  const found = journalGenerations(disk, directory);
  const newest = Math.max(applied, ...found);
  const changes = new Map<string, Uint8Array | null>();
  let next = applied + 1;
  let crc: number | undefined = appliedCrc;
  for (const generation of found) {
    if (generation < next) continue;
    // A gap, a torn end or an end too early, which the next journal's checksum shows, is where a
    // power cut struck; what comes after was never durable.
    if (generation === next) {
      crc = replayJournal(disk, directory, generation, crc, (key, value) =>
        changes.set(key, value),
      );
    }
    if (generation !== next || crc === undefined) {
      log?.warn({ generation, newest }, "journal ends early; later commits were never durable");
      break;
    }
    next += 1;
  }
  if (found.length > 0) {
    const entries = [...changes].map(([key, value]): [Uint8Array, Uint8Array | null] => [
      keyOfText(key),
      value,
    ]);
    await store.write(entries, { generation: newest, crc: 0 });
    log?.info({ keys: entries.length }, "recovered metadata from the journal");
  }
  for (const generation of found) removeJournal(disk, directory, generation);
  return newest;
}
