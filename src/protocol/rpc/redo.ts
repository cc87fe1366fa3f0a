// Changes that a client asks a server to do again, after the server's store came back without them:
// how they travel, and what becomes of each.
import type { FsError } from "../../domain/errno.ts";
import { MAX_REDO_BATCH, MAX_REPLY_SLOTS, RPC_CORK_BYTES } from "./limits.ts";
import { readError, REDO, REDONE } from "./control-messages.ts";
import type { Message } from "./frame-channel.ts";
import { readArgs, type Procedure } from "./procedure.ts";
import { malformed, readCount, readFlag, readList, readText } from "./wire-readers.ts";

/** Of its id: a UUID has 36. */
export const MAX_INCARNATION_CHARS = 64;

/** Which request of a session it was: its reply slot, and its number there. */
export interface SlotTicket {
  readonly slot: number;
  readonly sequence: number;
}

/** A change that was acknowledged once. */
export interface Redo {
  readonly procedure: Procedure;
  /** As they travel on the client, as they were read on the server. */
  readonly args: readonly unknown[];
  /** None where repeating it does no harm. */
  readonly ticket: SlotTicket | undefined;
  /** By which it was acknowledged, and the position that it had there. */
  readonly incarnation: string;
  readonly position: number;
  /** What the server said of it. */
  readonly trace: unknown;
}

/** The position that it has now, or why it can't be done again. */
export type RedoOutcome = number | FsError;

/** Messages with all of `changes`, the last marked so; one message where there are none. */
export function* packRedo(changes: readonly Redo[]): Generator<Message> {
  let sent = 0;
  do {
    const to = batchEnd(changes, sent);
    yield [0, REDO, to === changes.length, changes.slice(sent, to).map(packEntry)];
    sent = to;
  } while (sent < changes.length);
}

/**
 * `sizeBytes`: about what they take.
 * @throws FsError EPROTO, or the errno of a value no file system accepts
 */
export function readRedo(
  message: Message,
  procedures: readonly (Procedure | undefined)[],
): { last: boolean; changes: Redo[]; sizeBytes: number } {
  const entries = readList(message[3], MAX_REDO_BATCH, "changes to be done again");
  return {
    last: readFlag(message[2], "end of a redo"),
    changes: entries.map((entry) => readEntry(entry, procedures)),
    sizeBytes: weightOf(entries),
  };
}

export function packOutcomes(outcomes: readonly RedoOutcome[]): Message {
  const fields = outcomes.map((outcome) =>
    typeof outcome === "number" ? outcome : [outcome.code, outcome.message],
  );
  return [0, REDONE, fields];
}

/** @throws FsError EPROTO */
export function readOutcomes(message: Message): RedoOutcome[] {
  return readList(message[2], Infinity, "outcomes of a redo").map((outcome) => {
    if (typeof outcome === "number") return readCount(outcome, "position");
    const [code, text] = readList(outcome, 2, "outcome of a redo");
    return readError(code, text);
  });
}

/** Frames stay small; a single change may be as large as its request was. */
function batchEnd(changes: readonly Redo[], from: number): number {
  let bytes = 0;
  let to = from;
  for (const { args } of changes.slice(from, from + MAX_REDO_BATCH)) {
    bytes += weightOf(args);
    if (to > from && bytes > RPC_CORK_BYTES) break;
    to += 1;
  }
  return to;
}

/** Bytes and characters in packed arguments. */
export function weightOf(value: unknown): number {
  if (typeof value === "string" || value instanceof Uint8Array) return value.length;
  if (!Array.isArray(value)) return 0;
  let sum = 0;
  for (const item of value) sum += 8 + weightOf(item);
  return sum;
}

function packEntry({ procedure, args, ticket, incarnation, position, trace }: Redo): unknown[] {
  const fields = [procedure.number, args, incarnation, position, trace];
  return ticket === undefined ? fields : [...fields, ticket.slot, ticket.sequence];
}

function readEntry(value: unknown, procedures: readonly (Procedure | undefined)[]): Redo {
  const fields = readList(value, 7, "change to be done again");
  const procedure = procedures[fields[0] as number];
  if (procedure === undefined || fields.length < 5) throw malformed("change to be done again");
  const ticket = fields.length === 7 ? readSlotTicket(fields[5], fields[6]) : undefined;
  if (procedure.once !== (ticket !== undefined)) throw malformed("ticket of a change");
  return {
    procedure,
    args: readArgs(procedure, fields[1]),
    ticket,
    incarnation: readText(fields[2], MAX_INCARNATION_CHARS, "incarnation"),
    position: readCount(fields[3], "position"),
    trace: fields[4],
  };
}

/** @throws FsError EPROTO */
export function readSlotTicket(slot: unknown, sequence: unknown): SlotTicket {
  const index = readCount(slot, "reply slot");
  if (index >= MAX_REPLY_SLOTS) throw malformed("reply slot");
  return { slot: index, sequence: readCount(sequence, "sequence number") };
}
