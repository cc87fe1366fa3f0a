// Who an HTTP request comes from, and whether that is enough for what it wants.
import type { Request } from "express";
import type { Accounts, Principal } from "../auth/accounts.ts";
import { bearerToken } from "../auth/token.ts";
import { FsError } from "../domain/errno.ts";

const LOOPBACK = /^(::1|(::ffff:)?127(\.\d{1,3}){3})$/;

export class LoginGate {
  readonly #accounts: Accounts;

  constructor(accounts: Accounts) {
    this.#accounts = accounts;
  }

  /** @throws FsError EACCES, saying what to do */
  async require(request: Request): Promise<Principal> {
    const principal = await this.#accounts.authenticate(bearerToken(request.headers.authorization));
    if (principal !== undefined) return principal;
    if (await this.#accounts.isEmpty()) {
      throw new FsError(
        "EACCES",
        "this cluster has no users yet; on the metadata server's machine run " +
          "`dfs user add NAME` (it becomes the admin), then `dfs login`",
      );
    }
    throw new FsError("EACCES", "not logged in, or the login was revoked; run `dfs login`");
  }

  /** @throws FsError EACCES, EPERM */
  async requireAdmin(request: Request): Promise<Principal> {
    const principal = await this.require(request);
    if (principal.role === "admin") return principal;
    throw new FsError("EPERM", `only an admin may do this, and ${principal.user} is none`);
  }

  /** True on a fresh cluster for whoever sits at the metadata server's machine. */
  async mayAddFirstUser(request: Request): Promise<boolean> {
    return LOOPBACK.test(addressOf(request)) && (await this.#accounts.isEmpty());
  }
}

export function addressOf(request: Request): string {
  return request.socket.remoteAddress ?? "unknown";
}
