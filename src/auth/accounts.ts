// Users and their tokens: who may log in, who a request comes from. Where they are kept is the
// store's business, HTTP that of the routes.
import { checkPassword, type Passwords } from "./passwords.ts";
import type { LoginThrottle } from "./login-throttle.ts";
import type { Role } from "./role.ts";
import { hashToken, mintToken } from "./token.ts";
import { checkUserName, isUserName } from "./user-name.ts";
import { FsError } from "../domain/errno.ts";
import { MAX_TOKENS_PER_USER, TOKEN_USE_RESOLUTION_MS } from "./limits.ts";
import type { Clock } from "../platform/clock.ts";
import type { Random } from "../platform/random.ts";

export interface UserRecord {
  name: string;
  role: Role;
  /** PHC string of argon2id. */
  passwordHash: string;
  createdMs: number;
}

export interface TokenRecord {
  hash: string;
  user: string;
  client: string;
  createdMs: number;
  /** To the hour (TOKEN_USE_RESOLUTION_MS). */
  lastUsedMs: number;
}

/** Where accounts are kept. Each method is atomic, and durable when it resolves. */
export interface AccountStore {
  getUser(name: string): Promise<UserRecord | undefined>;
  listUsers(): Promise<UserRecord[]>;
  countUsers(): Promise<number>;
  /** False: not stored, the name is taken. With `onlyFirst` also false when any user exists. */
  insertUser(user: UserRecord, onlyFirst: boolean): Promise<boolean>;
  /** Changes the hash and removes the user's tokens, whose hashes it returns; ENOENT. */
  replacePassword(name: string, passwordHash: string): Promise<string[]>;
  /** Removes user and tokens, whose hashes it returns. ENOENT; EBUSY for the last admin. */
  deleteUser(name: string): Promise<string[]>;
  getToken(hash: string): Promise<TokenRecord | undefined>;
  /** Stores it if its user still has `passwordHash`; the least recently used beyond `limit` go. */
  insertToken(token: TokenRecord, passwordHash: string, limit: number): Promise<string[]>;
  touchToken(hash: string, lastUsedMs: number): Promise<void>;
  deleteToken(hash: string): Promise<void>;
  listTokens(): Promise<TokenRecord[]>;
}

/** Who a request comes from. */
export interface Principal {
  readonly user: string;
  readonly role: Role;
  readonly client: string;
  readonly tokenHash: string;
}

export interface AccountDependencies {
  readonly store: AccountStore;
  readonly passwords: Passwords;
  readonly throttle: LoginThrottle;
  readonly clock: Clock;
  readonly random: Random;
}

export class Accounts {
  readonly #store: AccountStore;
  readonly #passwords: Passwords;
  readonly #throttle: LoginThrottle;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #revocationListeners = new Set<(tokenHashes: readonly string[]) => void>();

  constructor({ store, passwords, throttle, clock, random }: AccountDependencies) {
    this.#store = store;
    this.#passwords = passwords;
    this.#throttle = throttle;
    this.#clock = clock;
    this.#random = random;
  }

  /** Called with the hashes of tokens that are no longer good. */
  onRevoked(listener: (tokenHashes: readonly string[]) => void): void {
    this.#revocationListeners.add(listener);
  }

  async isEmpty(): Promise<boolean> {
    return (await this.#store.countUsers()) === 0;
  }

  countUsers(): Promise<number> {
    return this.#store.countUsers();
  }

  /** Whose token it is; undefined when it is nobody's (any more). */
  async authenticate(token: string | undefined): Promise<Principal | undefined> {
    if (token === undefined) return undefined;
    const record = await this.#store.getToken(hashToken(token));
    if (record === undefined) return undefined;
    const user = await this.#store.getUser(record.user);
    if (user === undefined) return undefined;
    const nowMs = this.#clock.nowMs();
    if (nowMs - record.lastUsedMs >= TOKEN_USE_RESOLUTION_MS) {
      await this.#store.touchToken(record.hash, nowMs);
    }
    return { user: user.name, role: user.role, client: record.client, tokenHash: record.hash };
  }

  /** @throws FsError EACCES (wrong name or password), EAGAIN (too many attempts) */
  async login(name: string, password: string, client: string, address: string): Promise<string> {
    const waitMs = this.#throttle.waitMs(name, address);
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 1000);
      throw new FsError("EAGAIN", `too many wrong passwords; try again in ${seconds} s`);
    }
    this.#throttle.attempt(name, address);
    const user = isUserName(name) ? await this.#store.getUser(name) : undefined;
    if (!(await this.#passwords.verify(user?.passwordHash, password)) || user === undefined) {
      throw new FsError("EACCES", "wrong user name or password");
    }
    this.#throttle.succeeded(name, address);
    const { token, hash } = mintToken(this.#random);
    const nowMs = this.#clock.nowMs();
    const record = { hash, user: name, client, createdMs: nowMs, lastUsedMs: nowMs };
    const evicted = await this.#store.insertToken(record, user.passwordHash, MAX_TOKENS_PER_USER);
    this.#announce(evicted);
    return token;
  }

  async logout(principal: Principal): Promise<void> {
    await this.#store.deleteToken(principal.tokenHash);
    this.#announce([principal.tokenHash]);
  }

  /**
   * Adds a user; with `first` only if there is none yet, and as an admin.
   * @throws FsError EINVAL (name, password), EEXIST, EACCES (`first`, but there are users)
   */
  async addUser(name: string, password: string, role: Role, first = false): Promise<UserRecord> {
    checkUserName(name);
    checkPassword(password);
    const user: UserRecord = {
      name,
      role: first ? "admin" : role,
      passwordHash: await this.#passwords.hash(password),
      createdMs: this.#clock.nowMs(),
    };
    if (await this.#store.insertUser(user, first)) return user;
    if (first) throw new FsError("EACCES", "this cluster has users already; run `dfs login`");
    throw new FsError("EEXIST", `there is a user ${name} already`);
  }

  /** @throws FsError EINVAL, ENOENT */
  async setPassword(name: string, password: string): Promise<void> {
    checkUserName(name);
    checkPassword(password);
    const passwordHash = await this.#passwords.hash(password);
    this.#announce(await this.#store.replacePassword(name, passwordHash));
  }

  /** @throws FsError EINVAL, ENOENT, EBUSY (the last admin) */
  async removeUser(name: string): Promise<void> {
    checkUserName(name);
    this.#announce(await this.#store.deleteUser(name));
  }

  /** Users by name, each with the number of its tokens. */
  async listUsers(): Promise<(UserRecord & { tokens: number })[]> {
    const counts = new Map<string, number>();
    for (const token of await this.#store.listTokens()) {
      counts.set(token.user, (counts.get(token.user) ?? 0) + 1);
    }
    const users = await this.#store.listUsers();
    return users.map((user) => ({ ...user, tokens: counts.get(user.name) ?? 0 }));
  }

  #announce(tokenHashes: readonly string[]): void {
    if (tokenHashes.length === 0) return;
    for (const listener of this.#revocationListeners) listener(tokenHashes);
  }
}
