// A program takes an exclusive lock, at once or when it is free, and has it for a while.
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { FsError, isFsError } from "../../domain/errno.ts";
import { WHOLE_FILE, toLockOwner } from "../../domain/file-lock.ts";
import { ROOT_INO, type Name } from "../../domain/ids.ts";
import type { Clock } from "../../platform/clock.ts";
import { O_RDWR, type FileHandle, type Vfs } from "../../vfs/vfs.ts";
import type { SeededRandom } from "../seeded-random.ts";
import type { SimMount } from "./client-machine.ts";
import type { Judge } from "./judge.ts";
import type { SimFiles } from "./sim-files.ts";

/** Of a run. */
const LOCKS = 2;
/** No holder has a lock for nearly so long. */
const PATIENCE_MS = 30_000;

export interface LockTaker {
  readonly mount: SimMount;
  readonly files: SimFiles;
  readonly judge: Judge;
  readonly random: SeededRandom;
  /** Between operations, at the most. */
  readonly pauseMs: number;
}

/** @throws FsError what the VFS throws; EINTR when it waited too long */
export async function takeLock(taker: LockTaker): Promise<void> {
  const { judge, random, mount, files, pauseMs } = taker;
  const { process, vfs } = mount;
  const name = `l${random.below(LOCKS)}` as Name; // letters and digits
  const fh = await openLock(vfs, name);
  const owner = toLockOwner(1, files.nextOperation());
  const request = { ...WHOLE_FILE, space: "flock", owner, pid: 1 } as const;
  const patience = random.chance(0.5) ? patienceOf(process.clock) : undefined;
  try {
    await vfs.setlk?.(fh, { ...request, type: "write" }, patience?.signal);
    patience?.end();
    judge.locked(name, process);
    await process.clock.sleep(random.below(3 * pauseMs));
    judge.unlocked(name, process);
    await vfs.setlk?.(fh, { ...request, type: "unlock" });
  } catch (error) {
    judge.unlocked(name, process);
    if (!isFsError(error, "EAGAIN")) throw error;
  } finally {
    patience?.end();
    await vfs.release(fh);
  }
}

/** For as long as a wait may last. */
function patienceOf(clock: Clock): { signal: AbortSignal; end: () => void } {
  const wait = new AbortController();
  const giveUp = (): void => wait.abort(new FsError("EINTR", "the lock is waited for no longer"));
  const end = clock.after(PATIENCE_MS, giveUp);
  return { signal: wait.signal, end };
}

async function openLock(vfs: Vfs, name: Name): Promise<FileHandle> {
  try {
    return (await vfs.create(ROOT_CALLER, ROOT_INO, name, 0o644, O_RDWR)).fh;
  } catch (error) {
    if (!isFsError(error, "EEXIST")) throw error;
    const { ino } = await vfs.lookup(ROOT_CALLER, ROOT_INO, name);
    return (await vfs.open(ROOT_CALLER, ino, O_RDWR)).fh;
  }
}
