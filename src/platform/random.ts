// Randomness as a dependency, so that tests and the simulation can own it.
import { randomBytes, randomUUID } from "node:crypto";

/** Unguessable: fit for tokens and secrets. */
export interface Random {
  bytes(count: number): Buffer;
  /** Version 4 of RFC 9562, as text. */
  uuid(): string;
}

export const systemRandom: Random = {
  bytes: (count) => randomBytes(count),
  uuid: () => randomUUID(),
};
