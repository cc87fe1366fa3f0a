// An lmdb store in a process whose files may not grow beyond a bound (ulimit -f): what a full disk
// does to it. As the child it fills the store of its arguments and prints what came of it.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { FsError } from "../../domain/errno.ts";
import { openLmdbStore } from "../../platform/store/open-lmdb-store.ts";

export interface FullStoreOutcome {
  /** Keys 0 to this were put, and the first one removed when no more went in. */
  written: number;
  /** Of the writes that were refused. */
  codes: string[];
}

const MAX_WRITES = 1000;
const REFUSALS = 4;

/** `maxFileKib` is the bound. */
export async function fillStore(
  directory: string,
  maxFileKib: number,
  syncEachCommit: boolean,
): Promise<FullStoreOutcome> {
  const script = fileURLToPath(import.meta.url);
  const command = `ulimit -f ${maxFileKib * 2} && exec "$0" "$@"`;
  const args = ["-c", command, process.execPath, script, directory, String(syncEachCommit)];
  const { stdout } = await promisify(execFile)("sh", args);
  return JSON.parse(stdout) as FullStoreOutcome;
}

async function runAsChild(directory: string, syncEachCommit: boolean): Promise<void> {
  // The default is to end the process.
  process.on("SIGXFSZ", () => undefined);
  const store = openLmdbStore({ directory, what: "the store", syncEachCommit });
  const table = store.table("some");
  const codes: string[] = [];
  let written = 0;
  for (let tries = 0; codes.length < REFUSALS && tries < MAX_WRITES; tries++) {
    const key = Buffer.alloc(4);
    key.writeUInt32BE(written);
    try {
      await store.write((batch) => batch.put(table, key, Buffer.alloc(32_768, 7)));
      written++;
    } catch (error) {
      codes.push(error instanceof FsError ? error.code : String(error));
    }
  }
  await store.write((batch) => batch.remove(table, Buffer.alloc(4)));
  await store.close();
  process.stdout.write(JSON.stringify({ written, codes }));
}

const [, script, directory, syncEachCommit] = process.argv;
if (script === fileURLToPath(import.meta.url) && directory !== undefined) {
  await runAsChild(directory, syncEachCommit === "true");
}
