// Who listens to what a session tells.
import type { LostChange, MetaEvents, MetaPushes } from "./meta-service.ts";

type Listener = (...values: readonly unknown[]) => void;

export class SessionListeners {
  readonly #byEvent = new Map<keyof MetaEvents, Set<Listener>>();

  on<E extends keyof MetaEvents>(event: E, listener: MetaEvents[E]): void {
    const listeners = this.#byEvent.get(event) ?? new Set();
    // It is given the values of its own event alone.
    this.#byEvent.set(event, listeners.add(listener as Listener));
  }

  rolledBack(lost: readonly LostChange[]): void {
    this.#tell("rolledBack", lost);
  }

  pushed<P extends keyof MetaPushes & keyof MetaEvents>(name: P, value: MetaPushes[P]): void {
    this.#tell(name, value);
  }

  happened(event: "resumed" | "sessionLost"): void {
    this.#tell(event);
  }

  #tell(event: keyof MetaEvents, ...values: readonly unknown[]): void {
    for (const listener of this.#byEvent.get(event) ?? []) listener(...values);
  }
}
