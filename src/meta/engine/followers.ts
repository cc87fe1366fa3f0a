// Those who follow an engine: they hear of each transaction's changes when reads begin to see them.
import type { CommittedChanges } from "./engine.ts";
import { withKeys, type Changes } from "./layers.ts";

export class Followers {
  readonly #listeners = new Set<(changes: CommittedChanges) => void>();
  /** Of the transactions that reads don't see yet. */
  #pending: Changes[] = [];

  /** Returns the way to stop it. */
  add(listener: (changes: CommittedChanges) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  keep(changes: Changes): void {
    if (this.#listeners.size > 0) this.#pending.push(changes);
  }

  tell(): void {
    if (this.#pending.length === 0) return;
    const pending = this.#pending;
    this.#pending = [];
    for (const changes of pending) {
      for (const listener of this.#listeners) listener(withKeys(changes));
    }
  }
}
