// Password hashes: argon2id in the thread pool, a few at a time.
import { createRequire } from "node:module";
import type * as Argon2 from "@node-rs/argon2";
import { FsError } from "../domain/errno.ts";
import { WorkLimit } from "../platform/flow/work-limit.ts";
import {
  MAX_CONCURRENT_HASHES,
  MAX_PASSWORD_BYTES,
  MAX_QUEUED_HASHES,
  MIN_PASSWORD_CHARS,
} from "./limits.ts";

const require = createRequire(import.meta.url);

export interface PasswordCost {
  readonly memoryKib: number;
  readonly passes: number;
}

/** OWASP's second choice for argon2id (2024): 19 MiB, 2 passes, 1 lane. */
export const DEFAULT_PASSWORD_COST: PasswordCost = { memoryKib: 19 * 1024, passes: 2 };

/** @throws FsError EINVAL */
export function checkPassword(password: string): void {
  if (password.length < MIN_PASSWORD_CHARS) {
    throw new FsError("EINVAL", `a password has at least ${MIN_PASSWORD_CHARS} characters`);
  }
  if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES) {
    throw new FsError("EINVAL", `a password has at most ${MAX_PASSWORD_BYTES} bytes`);
  }
}

export class Passwords {
  readonly #argon2 = require("@node-rs/argon2") as typeof Argon2;
  readonly #cost: PasswordCost;
  readonly #limit = new WorkLimit(MAX_CONCURRENT_HASHES, {
    maxWaiting: MAX_QUEUED_HASHES,
    refusal: () => new FsError("EAGAIN", "too many logins at once; try again in a moment"),
  });
  #decoy: Promise<string> | undefined;

  constructor(cost: PasswordCost = DEFAULT_PASSWORD_COST) {
    this.#cost = cost;
  }

  /** A PHC string with salt and parameters. @throws FsError EAGAIN when too many wait */
  hash(password: string): Promise<string> {
    const { memoryKib, passes } = this.#cost;
    return this.#limited(() =>
      // The algorithm's default is argon2id.
      this.#argon2.hash(password, { memoryCost: memoryKib, timeCost: passes, parallelism: 1 }),
    );
  }

  /**
   * Compares with the stored hash. An unknown user (undefined) costs as much as a known one, so
   * that the time doesn't tell who exists. @throws FsError EAGAIN when too many wait
   */
  async verify(stored: string | undefined, password: string): Promise<boolean> {
    const against = stored ?? (await this.#decoyHash());
    const matches = await this.#limited(() => this.#argon2.verify(against, password));
    return matches && stored !== undefined;
  }

  #decoyHash(): Promise<string> {
    this.#decoy ??= this.hash("nobody's password");
    return this.#decoy;
  }

  #limited<T>(work: () => Promise<T>): Promise<T> {
    return this.#limit.run(1, undefined, work);
  }
}
