// Reads a copy of the metadata as it comes, and believes nothing that a checksum doesn't vouch for.
import { createHash } from "node:crypto";
import { z } from "zod";
import { FsError } from "../../domain/errno.ts";
import {
  checkPrefix,
  COPY_PREFIX,
  decodeChanges,
  decodeFrameBody,
  FRAME,
  FRAME_HEAD_BYTES,
  frameCrc,
  MAX_FRAME_BYTES,
  type CopyChange,
  type CopyEnd,
  type CopyHead,
} from "./copy-format.ts";

const count = z.int().min(0);
const headSchema = z.object({ clusterId: z.string().min(1), madeMs: z.number() });
const endSchema = z.object({
  position: count,
  incarnations: z.array(z.object({ id: z.string(), beganAt: count })),
  changes: count,
  sha256: z.string(),
});

/** What a copy says of itself once all of it was read. */
export interface CopyFacts extends CopyHead, CopyEnd {
  readonly sizeBytes: number;
}

/** Takes a copy's changes, in order; called again only when its promise has settled. */
export type TakeChanges = (changes: readonly CopyChange[], head: CopyHead) => Promise<void>;

/**
 * Reads all of a copy. What comes behind its end is passed over: blocks are padded.
 * @throws FsError EINVAL it is no copy, or another release's; EBADMSG it is damaged or cut short
 */
export async function readCopy(
  chunks: AsyncIterable<Uint8Array>,
  take: TakeChanges = () => Promise.resolve(),
): Promise<CopyFacts> {
  const decoder = new CopyDecoder();
  for await (const chunk of chunks) {
    for (const changes of decoder.decode(chunk)) await take(changes, decoder.head);
    if (decoder.facts !== undefined) return decoder.facts;
  }
  throw decoder.cutShort();
}

/** Passes a copy's pieces on. @throws FsError as readCopy, by the end of them */
export async function* checked<P extends Uint8Array>(pieces: AsyncIterable<P>): AsyncGenerator<P> {
  const decoder = new CopyDecoder();
  for await (const piece of pieces) {
    decoder.check(piece);
    yield piece;
  }
  if (decoder.facts === undefined) throw decoder.cutShort();
}

/** Push-style: for whoever passes a copy on and checks it on the way. */
export class CopyDecoder {
  readonly #hash = createHash("sha256");
  #held: Buffer = Buffer.alloc(0);
  /** Bytes of the copy before #held. */
  #at = 0;
  #crc = 0;
  #changes = 0;
  #head: CopyHead | undefined;
  /** Known once all of the copy was read. */
  facts: CopyFacts | undefined;

  /** @throws FsError EBADMSG before the head was read */
  get head(): CopyHead {
    if (this.#head === undefined) throw this.cutShort();
    return this.#head;
  }

  /** The changes that are whole with these bytes. @throws FsError as readCopy */
  *decode(chunk: Uint8Array): Generator<CopyChange[]> {
    this.#held = this.#held.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#held, chunk]);
    if (this.#at === 0) {
      if (this.#held.length < COPY_PREFIX.length) return;
      checkPrefix(this.#held);
      this.#pass(COPY_PREFIX.length);
    }
    for (let frame = this.#frame(); frame !== undefined; frame = this.#frame()) {
      const changes = this.#read(frame);
      if (changes !== undefined) yield changes;
      if (this.facts !== undefined) return;
    }
  }

  /** As decode, for whoever wants to know that all is well, and no more. */
  check(chunk: Uint8Array): void {
    const changes = this.decode(chunk);
    while (changes.next().done !== true) continue;
  }

  cutShort(): FsError {
    const bytes = this.#at + this.#held.length;
    if (bytes === 0) return new FsError("EINVAL", "this is no copy of dfs metadata: it is empty");
    return new FsError(
      "EBADMSG",
      `the copy is cut short: it ends after ${bytes} bytes, before its end mark; use another copy`,
    );
  }

  /** The next frame, where it is whole and right. */
  #frame(): Buffer | undefined {
    if (this.#held.length < FRAME_HEAD_BYTES) return undefined;
    const length = this.#held.readUInt32LE(1);
    if (length > MAX_FRAME_BYTES) throw this.#damaged();
    const end = FRAME_HEAD_BYTES + length;
    if (this.#held.length < end) return undefined;
    const frame = this.#held.subarray(0, end);
    const crc = frameCrc(frame, this.#crc);
    if (crc !== frame.readUInt32LE(5)) throw this.#damaged();
    this.#crc = crc;
    return frame;
  }

  #read(frame: Buffer): CopyChange[] | undefined {
    const kind = frame.readUInt8(0);
    const body = frame.subarray(FRAME_HEAD_BYTES);
    if ((kind === FRAME.head) !== (this.#head === undefined)) throw this.#damaged();
    if (kind === FRAME.end) this.facts = this.#end(body, frame.length);
    else if (kind === FRAME.head) this.#head = this.#parse(headSchema, body);
    else if (kind !== FRAME.changes) throw this.#damaged();
    this.#pass(frame.length);
    if (kind !== FRAME.changes) return undefined;
    const changes = decodeChanges(body);
    this.#changes += changes.length;
    return changes;
  }

  #end(body: Buffer, frameBytes: number): CopyFacts {
    const end = this.#parse(endSchema, body);
    const sha256 = this.#hash.copy().digest("hex");
    if (end.sha256 !== sha256 || end.changes !== this.#changes) throw this.#damaged();
    return { ...this.head, ...end, sizeBytes: this.#at + frameBytes };
  }

  #parse<S extends z.ZodType>(schema: S, body: Buffer): z.infer<S> {
    const parsed = schema.safeParse(decodeFrameBody(body));
    if (parsed.success) return parsed.data;
    throw this.#damaged(parsed.error);
  }

  #pass(bytes: number): void {
    this.#hash.update(this.#held.subarray(0, bytes));
    this.#held = this.#held.subarray(bytes);
    this.#at += bytes;
  }

  #damaged(cause?: unknown): FsError {
    return new FsError(
      "EBADMSG",
      `the copy is damaged: what follows its byte ${this.#at} doesn't match its checksum; ` +
        "use another copy",
      { cause },
    );
  }
}
