// After a start that may have lost acknowledged changes: collects from the clients what they still
// have of them, and does that again in its old order before anything else is done. Who comes later
// has theirs done again when they come.
import type { SessionId } from "../../domain/ids.ts";
import { invariant } from "../../domain/invariant.ts";
import { deferred } from "../../platform/flow/deferred.ts";
import { Turns } from "../../platform/flow/turns.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Log } from "../../observability/log.ts";
import type { Redo, RedoOutcome } from "../../protocol/rpc/redo.ts";
import type { Incarnation } from "../../protocol/rpc/acknowledged.ts";
import { MAX_REDO_BYTES_HELD, RECOVERY_PATIENCE_MS, REDOS_AT_ONCE } from "./limits.ts";

/** Does a change again and says what became of it. Those asked for in order are done in order. */
type DoAgain = (change: Redo) => Promise<RedoOutcome>;

export interface RecoveryWindowOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Oldest first. */
  readonly incarnations: readonly Incarnation[];
  /** Those that may know of something lost; none: nothing is waited for. */
  readonly awaited: readonly SessionId[];
}

/** One session's changes. */
interface Contribution {
  readonly changes: readonly Redo[];
  readonly sizeBytes: number;
  readonly doAgain: DoAgain;
  readonly resolve: (outcomes: readonly RedoOutcome[] | undefined) => void;
  readonly reject: (error: unknown) => void;
}

export class RecoveryWindow {
  readonly #options: RecoveryWindowOptions;
  readonly #awaited: Set<SessionId>;
  readonly #contributions = new Map<SessionId, Contribution>();
  readonly #ended = deferred();
  readonly #late = new Turns();
  #heldBytes = 0;
  #cutShort = false;
  #open: boolean;
  #over: Promise<void> | undefined;
  #cancelTimer: () => void = () => undefined;

  constructor(options: RecoveryWindowOptions) {
    this.#options = options;
    this.#awaited = new Set(options.awaited);
    this.#open = this.#awaited.size > 0;
    if (this.#open) this.#over = this.#ended.promise;
  }

  /** Everything but a redo must wait for it, while it is there. */
  get over(): Promise<void> | undefined {
    return this.#over;
  }

  /** The server ended before everybody had come: nothing is done any more. */
  get cutShort(): boolean {
    return this.#cutShort;
  }

  /** Clients can come from now on. */
  start(): void {
    if (!this.#open) return;
    const { clock, log } = this.#options;
    log.info(
      { sessions: this.#awaited.size },
      "clients are asked for what the store has forgotten",
    );
    this.#cancelTimer = clock.after(RECOVERY_PATIENCE_MS, () => this.#close());
  }

  /**
   * The server ends; nobody is waited for any more, and what has come is left for the next start:
   * it may need what hasn't. Resolves when nothing is being done again.
   */
  async stop(): Promise<void> {
    if (this.#open) {
      this.#cutShort = true;
      this.#open = false;
      this.#cancelTimer();
      for (const { resolve } of this.#contributions.values()) resolve(undefined);
      this.#contributions.clear();
      this.#over = undefined;
      this.#ended.resolve();
    }
    await this.#over;
    await this.#late.run(() => Promise.resolve());
  }

  /**
   * What a session's client wants to be done again, perhaps nothing. Resolves when it was; to
   * undefined where it wasn't, as the server ends.
   * @throws FsError EIO when the store has failed
   */
  async contribute(
    session: SessionId,
    changes: readonly Redo[],
    sizeBytes: number,
    doAgain: DoAgain,
  ): Promise<readonly RedoOutcome[] | undefined> {
    if (this.#cutShort) return undefined;
    if (!this.#open) {
      await this.#over;
      // One after the other: a client that connects anew must not be overtaken by its former self.
      return await this.#late.run(() => doAll(changes, doAgain));
    }
    const done = new Promise<readonly RedoOutcome[] | undefined>((resolve, reject) => {
      const earlier = this.#contributions.get(session);
      this.#contributions.set(session, { changes, sizeBytes, doAgain, resolve, reject });
      this.#heldBytes += sizeBytes - (earlier?.sizeBytes ?? 0);
      // The connection that brought it is gone.
      earlier?.resolve([]);
    });
    this.#awaited.delete(session);
    if (this.#awaited.size === 0 || this.#heldBytes > MAX_REDO_BYTES_HELD) this.#close();
    return await done;
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#cancelTimer();
    void this.#redoAll([...this.#contributions.values()]);
    this.#contributions.clear();
  }

  async #redoAll(contributions: readonly Contribution[]): Promise<void> {
    const { log, incarnations } = this.#options;
    const ages = new Map(incarnations.map(({ id }, at) => [id, at]));
    const ageOf = ({ incarnation }: Redo): number => ages.get(incarnation) ?? -1;
    const steps = contributions.flatMap(({ changes, doAgain }) =>
      changes.map((change) => ({ change, doAgain })),
    );
    // What an earlier incarnation lost came before all that a later one did.
    steps.sort(({ change: a }, { change: b }) => ageOf(a) - ageOf(b) || a.position - b.position);
    const outcomes = new Map<Redo, RedoOutcome>();
    try {
      await doInOrder(steps, outcomes);
      for (const { changes, resolve } of contributions) resolve(outcomesOf(changes, outcomes));
    } catch (error) {
      for (const { reject } of contributions) reject(error);
    }
    const failed = [...outcomes.values()].filter((outcome) => typeof outcome !== "number").length;
    const missing = this.#awaited.size;
    log.info({ changes: steps.length, failed, missing }, "what clients still knew was done again");
    this.#over = undefined;
    this.#ended.resolve();
  }
}

async function doAll(changes: readonly Redo[], doAgain: DoAgain): Promise<RedoOutcome[]> {
  const outcomes = new Map<Redo, RedoOutcome>();
  await doInOrder(
    changes.map((change) => ({ change, doAgain })),
    outcomes,
  );
  return outcomesOf(changes, outcomes);
}

async function doInOrder(
  steps: readonly { readonly change: Redo; readonly doAgain: DoAgain }[],
  outcomes: Map<Redo, RedoOutcome>,
): Promise<void> {
  for (let from = 0; from < steps.length; from += REDOS_AT_ONCE) {
    const some = steps.slice(from, from + REDOS_AT_ONCE);
    await Promise.all(
      some.map(async ({ change, doAgain }) => outcomes.set(change, await doAgain(change))),
    );
  }
}

function outcomesOf(
  changes: readonly Redo[],
  outcomes: ReadonlyMap<Redo, RedoOutcome>,
): RedoOutcome[] {
  return changes.map((change) => {
    const outcome = outcomes.get(change);
    invariant(outcome !== undefined, "each change to be done again has an outcome");
    return outcome;
  });
}
