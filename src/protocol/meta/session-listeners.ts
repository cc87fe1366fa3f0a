// Who listens to what a session tells.
import type { MetaEvents, MetaPushes } from "./meta-service.ts";

type Listener = (...values: readonly unknown[]) => void;

export class SessionListeners {
  readonly #byEvent = new Map<keyof MetaEvents, Set<Listener>>();

  on<E extends keyof MetaEvents>(event: E, listener: MetaEvents[E]): void {
    const listeners = this.#byEvent.get(event) ?? new Set();
    // It is given the values of its own event alone.
    this.#byEvent.set(event, listeners.add(listener as Listener));
  }

  pushed<P extends keyof MetaPushes>(name: P, value: MetaPushes[P]): void {
    this.#tell(name, value);
  }

  happened(event: Exclude<keyof MetaEvents, keyof MetaPushes>): void {
    this.#tell(event);
  }

  #tell(event: keyof MetaEvents, ...values: readonly unknown[]): void {
    for (const listener of this.#byEvent.get(event) ?? []) listener(...values);
  }
}
