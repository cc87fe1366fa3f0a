// What a change's answer says beside its result: its place in the server's history, and what the
// client keeps until that is on disk.

/** A life of the server's store, which may have begun behind what an earlier one acknowledged. */
export interface Incarnation {
  /** Random. */
  readonly id: string;
  /** The position that it went on from. */
  readonly beganAt: number;
}

/** What a server's store has been through. */
export interface History {
  /** The newest last, which is the present one; some of the oldest may be forgotten. */
  readonly incarnations: readonly Incarnation[];
  /** All up to this position outlives a power cut. */
  readonly durablePosition: number;
}

export class Acknowledged<T = unknown> {
  readonly value: T;
  readonly position: number;
  /**
   * What the server wants to be told with the request if it has to be done again; undefined when
   * that can't be: all up to `position` is on disk.
   */
  readonly trace: unknown;
  /** `value` as it travels, where it has been packed already. */
  readonly packed: unknown;

  constructor(value: T, position: number, trace?: unknown, packed?: unknown) {
    this.value = value;
    this.position = position;
    this.trace = trace;
    this.packed = packed;
  }
}
