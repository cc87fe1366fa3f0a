// A client's acknowledged changes that a power cut of the server may still undo. Each is kept, as
// it was sent, until the server says that it is on disk; those that the server has forgotten are
// sent again, in order. No connection here.
import { FsError } from "../../domain/errno.ts";
import { invariant } from "../../domain/invariant.ts";
import type { SessionId } from "../../domain/ids.ts";
import type { History } from "./acknowledged.ts";
import { MAX_KEPT_BYTES, MAX_KEPT_CHANGES } from "./limits.ts";
import type { Procedure } from "./procedure.ts";
import { weightOf, type Redo, type RedoOutcome } from "./redo.ts";

/** What JavaScript needs for a change besides the bytes and texts in it, roughly. */
const CHANGE_BYTES = 400;
/** Places of changes that are on disk, before the list is copied without them. */
const MAX_IDLE_PLACES = 1024;

interface Change extends Redo {
  /** A reply slot belongs to a session. */
  readonly session: SessionId;
  readonly sizeBytes: number;
}

/** A change that the server has forgotten and could not do again. */
export interface LostCall {
  readonly procedure: Procedure;
  readonly args: readonly unknown[];
  readonly trace: unknown;
  readonly error: FsError;
}

export class ChangeLog {
  /** By position, nearly: answers may overtake each other. */
  #kept: Change[] = [];
  #head = 0;
  /** The server has forgotten them and hasn't done them again yet, in order. */
  #forgotten: Change[] = [];
  #sizeBytes = 0;
  #incarnation: string | undefined;
  #session: SessionId | undefined;

  /** Nothing more should be asked for that would have to be kept. */
  get full(): boolean {
    return this.#isBeyond(1);
  }

  /** It is time to have the server bring its changes to disk. */
  get filling(): boolean {
    return this.#isBeyond(2);
  }

  /** An answered change. `ticket` is its reply slot and number there, where it has one. */
  keep(
    { procedure, args, ticket }: Pick<Redo, "procedure" | "args" | "ticket">,
    position: number,
    trace: unknown,
  ): void {
    const { incarnation, session } = this.#present();
    const sizeBytes = CHANGE_BYTES + weightOf(args);
    this.#kept.push({ procedure, args, ticket, incarnation, session, position, trace, sizeBytes });
    this.#sizeBytes += sizeBytes;
  }

  /** The server has all up to `position` on disk. */
  durable(position: number): void {
    for (;;) {
      const first = this.#kept[this.#head];
      if (first === undefined || first.position > position) break;
      this.#sizeBytes -= first.sizeBytes;
      this.#head += 1;
    }
    if (this.#head < MAX_IDLE_PLACES || this.#head * 2 < this.#kept.length) return;
    this.#kept = this.#kept.slice(this.#head);
    this.#head = 0;
  }

  /**
   * A server that greets says what its store has been through.
   * @returns whether it may have forgotten something, and what it can't be asked to do again
   */
  greeted(
    { incarnations, durablePosition }: History,
    session: SessionId,
  ): { rolledBack: boolean; lost: readonly LostCall[] } {
    const present = incarnations.at(-1)?.id;
    invariant(present !== undefined, "a store has an incarnation");
    const rolledBack = this.#incarnation !== undefined && this.#incarnation !== present;
    this.#incarnation = present;
    this.#session = session;
    if (rolledBack) this.#findForgotten(incarnations);
    this.durable(durablePosition);
    const [own, others] = partition(this.#forgotten, (change) => change.session === session);
    this.#forgotten = own;
    const error = new FsError("EIO", "the session ended before it could be done again");
    // Only a rollback can leave some of another session.
    return { rolledBack: rolledBack || others.length > 0, lost: this.#dropped(others, error) };
  }

  /** What is to be sent again, in this order. */
  get forgotten(): readonly Redo[] {
    return this.#forgotten;
  }

  /** The server has dealt with `forgotten`. Returns what it could not do. */
  redone(outcomes: readonly RedoOutcome[]): readonly LostCall[] {
    const { incarnation } = this.#present();
    if (outcomes.length !== this.#forgotten.length) {
      throw new FsError("EPROTO", "malformed message: outcomes of a redo");
    }
    const lost: LostCall[] = [];
    const done = this.#forgotten.flatMap((change, at) => {
      const outcome = outcomes[at];
      if (typeof outcome === "number") return [{ ...change, incarnation, position: outcome }];
      // There are as many outcomes as changes.
      if (outcome !== undefined) lost.push(...this.#dropped([change], outcome));
      return [];
    });
    this.#forgotten = [];
    this.#kept = [...this.#kept.slice(this.#head), ...done];
    this.#head = 0;
    return lost;
  }

  #isBeyond(share: number): boolean {
    const count = this.#kept.length - this.#head + this.#forgotten.length;
    return count * share >= MAX_KEPT_CHANGES || this.#sizeBytes * share >= MAX_KEPT_BYTES;
  }

  #present(): { incarnation: string; session: SessionId } {
    const [incarnation, session] = [this.#incarnation, this.#session];
    const greeted = incarnation !== undefined && session !== undefined;
    invariant(greeted, "a server greets before it answers");
    return { incarnation, session };
  }

  /** An incarnation that the server doesn't know was followed by no one knows what. */
  #findForgotten(incarnations: History["incarnations"]): void {
    const foundOf = new Map<string, number>();
    const leftOf = (incarnation: string): number => {
      const known = foundOf.get(incarnation);
      if (known !== undefined) return known;
      const place = incarnations.findIndex(({ id }) => id === incarnation);
      const later = place < 0 ? [] : incarnations.slice(place + 1);
      const left = place < 0 ? -1 : Math.min(Infinity, ...later.map(({ beganAt }) => beganAt));
      foundOf.set(incarnation, left);
      return left;
    };
    const [forgotten, kept] = partition(
      this.#kept.slice(this.#head),
      ({ incarnation, position }) => position > leftOf(incarnation),
    );
    // All that was kept is of one history; what an earlier rollback left came before it.
    forgotten.sort((a, b) => a.position - b.position);
    this.#forgotten.push(...forgotten);
    this.#kept = kept;
    this.#head = 0;
  }

  #dropped(changes: readonly Change[], error: FsError): LostCall[] {
    return changes.map(({ procedure, args, trace, sizeBytes }) => {
      this.#sizeBytes -= sizeBytes;
      return { procedure, args, trace, error };
    });
  }
}

function partition<T>(items: readonly T[], matches: (item: T) => boolean): [T[], T[]] {
  const yes: T[] = [];
  const no: T[] = [];
  for (const item of items) (matches(item) ? yes : no).push(item);
  return [yes, no];
}
