// Loads a copy into an empty store.
import type { Engine } from "../engine/engine.ts";
import type { CopyChange } from "./copy-format.ts";
import { readCopy, type CopyFacts } from "./copy-reader.ts";
import { beginNewLife } from "./new-life.ts";

/**
 * Puts all that the copy holds into `engine`, which is empty, and lets it go on as a life of its
 * own.
 * @throws FsError EINVAL, EBADMSG as readCopy; ENOSPC, EIO
 */
export async function loadCopy(
  engine: Engine,
  pieces: AsyncIterable<Uint8Array>,
): Promise<CopyFacts> {
  const facts = await readCopy(pieces, (changes) => putCopied(engine, changes));
  const why = `the metadata was restored from a copy of ${new Date(facts.madeMs).toISOString()}`;
  await engine.transact((tx) => beginNewLife(tx, why), { durable: true });
  return facts;
}

/** Puts a portion of a copy. */
export async function putCopied(engine: Engine, changes: readonly CopyChange[]): Promise<void> {
  await engine.transact((tx) => {
    for (const [key, value] of changes) {
      if (value === null) tx.delete(key);
      // Copies: what was read together would stay in memory for the least of its parts.
      else tx.put(Buffer.from(key), Buffer.from(value));
    }
  });
}
