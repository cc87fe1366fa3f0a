// Makes a copy of a store that is being written to: pages of the key space in order, and between
// them the changes that were committed behind the page reached. Whoever applies them in their order
// has the store as it was at the commit the copy ends with. Nothing waits for it, and no page is
// held longer than a turn.
import { createHash } from "node:crypto";
import { FsError } from "../../domain/errno.ts";
import { nextTurn, type Clock } from "../../platform/clock.ts";
import type { Engine } from "../engine/engine.ts";
import { keyOfText, keyText } from "../engine/layers.ts";
import {
  changeBytes,
  COPY_PREFIX,
  encodeChanges,
  encodeFrame,
  encodeFrameBody,
  FRAME,
  type CopyChange,
  type CopyEnd,
  type CopyHead,
  type FrameKind,
} from "./copy-format.ts";
import { MAX_COPY_BACKLOG_BYTES, MAX_COPY_PAGE_BYTES, MAX_COPY_PAGE_KEYS } from "./limits.ts";

/** Behind every key that a store holds. */
const LAST_KEY = "\xff".repeat(8);

/** Changes behind the page reached, each key once. */
class Backlog {
  /** All keys below were read. */
  reached = "";
  #bytes = 0;
  #changes = new Map<string, Uint8Array | null>();
  /** More came than is kept. */
  overrun = false;

  readonly note = (changes: Iterable<readonly [Uint8Array, Uint8Array | null]>): void => {
    for (const [key, value] of changes) {
      const text = keyText(key);
      if (text >= this.reached) continue;
      const known = this.#changes.get(text);
      if (known !== undefined) this.#bytes -= changeBytes([key, known]);
      this.#changes.set(text, value);
      this.#bytes += changeBytes([key, value]);
    }
    if (this.#bytes <= MAX_COPY_BACKLOG_BYTES) return;
    this.overrun = true;
    this.#changes.clear();
    this.#bytes = 0;
  };

  /** All that wait, in frames' portions. @throws FsError EAGAIN when more came than is kept */
  take(): CopyChange[][] {
    if (this.overrun) {
      throw new FsError(
        "EAGAIN",
        "the metadata changes faster than this copy is taken; try again when there is less to " +
          "do, or write it to a faster place",
      );
    }
    const portions: CopyChange[][] = [];
    let portion: CopyChange[] = [];
    let bytes = 0;
    for (const [text, value] of this.#changes) {
      const change: CopyChange = [keyOfText(text), value];
      portion.push(change);
      bytes += changeBytes(change);
      if (bytes < MAX_COPY_PAGE_BYTES) continue;
      portions.push(portion);
      portion = [];
      bytes = 0;
    }
    if (portion.length > 0) portions.push(portion);
    this.#changes.clear();
    this.#bytes = 0;
    return portions;
  }
}

/** Frames follow one another. */
class FrameWriter {
  readonly #hash = createHash("sha256");
  #crc = 0;
  changes = 0;

  begin(): Buffer {
    this.#hash.update(COPY_PREFIX);
    return COPY_PREFIX;
  }

  frame(kind: FrameKind, body: Buffer): Buffer {
    const [frame, crc] = encodeFrame(kind, body, this.#crc);
    this.#crc = crc;
    this.#hash.update(frame);
    return frame;
  }

  pairs(changes: readonly CopyChange[]): Buffer {
    this.changes += changes.length;
    return this.frame(FRAME.changes, encodeChanges(changes));
  }

  end(at: Pick<CopyEnd, "position" | "incarnations">): Buffer {
    const { changes } = this;
    const end: CopyEnd = { ...at, changes, sha256: this.#hash.copy().digest("hex") };
    return this.frame(FRAME.end, encodeFrameBody(end));
  }
}

/**
 * The bytes of a copy, piece by piece; what it has is on disk when its last piece comes. Ending the
 * iteration early ends the work.
 * @throws FsError EAGAIN when changes come faster than the pieces are taken
 */
export async function* makeCopy(
  engine: Engine,
  head: CopyHead,
  clock: Pick<Clock, "soon">,
): AsyncGenerator<Buffer, void, undefined> {
  const backlog = new Backlog();
  const writer = new FrameWriter();
  const stop = engine.follow(backlog.note);
  try {
    yield writer.begin();
    yield writer.frame(FRAME.head, encodeFrameBody(head));
    for (;;) {
      const page = await engine.read((tx) => readPage(tx, backlog));
      if (page.length === 0) break;
      yield writer.pairs(page);
      for (const portion of backlog.take()) yield writer.pairs(portion);
      await nextTurn(clock);
    }
    await engine.flush();
    // From here to the end frame in one turn: these changes and this position belong together.
    const { position, incarnations } = engine;
    const rest = backlog.take();
    stop();
    for (const portion of rest) yield writer.pairs(portion);
    yield writer.end({ position, incarnations });
  } finally {
    stop();
  }
}

/** The next page, and in the same turn how far the copy has come; empty at the end. */
function readPage(
  tx: Parameters<Parameters<Engine["read"]>[0]>[0],
  backlog: Backlog,
): CopyChange[] {
  const page: CopyChange[] = [];
  let bytes = 0;
  const range = { start: keyOfText(backlog.reached), end: keyOfText(LAST_KEY) };
  for (const { key, value } of tx.range({ ...range, limit: MAX_COPY_PAGE_KEYS })) {
    // Copies: a store may use its buffers again.
    page.push([Buffer.from(key), Buffer.from(value)]);
    bytes += key.length + value.length;
    if (bytes >= MAX_COPY_PAGE_BYTES) break;
  }
  const last = page.at(-1);
  // The smallest key behind another is that key and a zero.
  backlog.reached = last === undefined ? LAST_KEY : `${keyText(last[0])}\0`;
  return page;
}
