// A map whose entries live for one to two spans of time, in two generations, so that forgetting
// costs nothing.
import type { Clock } from "../clock.ts";

export class GenerationMap<K, V> {
  readonly #clock: Clock;
  readonly #spanMs: number;
  readonly #maxYoung: number;
  readonly #onTurn: () => void;
  #young = new Map<K, V>();
  #old = new Map<K, V>();
  #turnAtMs = 0;

  /**
   * @param maxYoung entries beyond it within one span end the generation early
   * @param onTurn called when a generation ends
   */
  constructor(
    clock: Clock,
    spanMs: number,
    maxYoung: number,
    onTurn: () => void = () => undefined,
  ) {
    this.#clock = clock;
    this.#spanMs = spanMs;
    this.#maxYoung = maxYoung;
    this.#onTurn = onTurn;
  }

  /** May bring an entry older than two spans where `turn` and `set` weren't called since. */
  get(key: K): V | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  /** Makes the entry one of the young generation. */
  set(key: K, value: V): void {
    this.turn();
    this.#young.set(key, value);
  }

  delete(key: K): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }

  /** Ends the young generation if its time has come, and forgets the old one. */
  turn(): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#turnAtMs && this.#young.size < this.#maxYoung) return;
    const idle = nowMs >= this.#turnAtMs + this.#spanMs;
    this.#old = idle ? new Map<K, V>() : this.#young;
    this.#young = new Map();
    this.#turnAtMs = nowMs + this.#spanMs;
    this.#onTurn();
  }
}
