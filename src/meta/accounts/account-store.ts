// Users and tokens in the engine. A token's key is its hash; a user's tokens are found by walking
// them all.
import type { AccountStore, TokenRecord, UserRecord } from "../../auth/accounts.ts";
import { FsError } from "../../domain/errno.ts";
import type { Engine, ReadTransaction, Transaction } from "../engine/engine.ts";
import { keyRanges, keys } from "../schema/keys.ts";
import { decodeRecord, encodeRecord } from "../schema/records.ts";

const VERSION = 1;
const DURABLE = { durable: true };

export class EngineAccountStore implements AccountStore {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async getUser(name: string): Promise<UserRecord | undefined> {
    return await this.#engine.read((tx) => getUser(tx, name));
  }

  async listUsers(): Promise<UserRecord[]> {
    return await this.#engine.read(allUsers);
  }

  async countUsers(): Promise<number> {
    return await this.#engine.read((tx) => [...tx.range(keyRanges.users())].length);
  }

  async insertUser(user: UserRecord, onlyFirst: boolean): Promise<boolean> {
    return await this.#engine.transact((tx) => {
      const range = onlyFirst ? [...tx.range({ ...keyRanges.users(), limit: 1 })] : [];
      if (range.length > 0 || getUser(tx, user.name) !== undefined) return false;
      putUser(tx, user);
      return true;
    }, DURABLE);
  }

  async replacePassword(name: string, passwordHash: string): Promise<string[]> {
    return await this.#engine.transact((tx) => {
      putUser(tx, { ...requireUser(tx, name), passwordHash });
      return deleteTokensOf(tx, name);
    }, DURABLE);
  }

  async deleteUser(name: string): Promise<string[]> {
    return await this.#engine.transact((tx) => {
      const user = requireUser(tx, name);
      const admins = allUsers(tx).filter(({ role }) => role === "admin");
      if (user.role === "admin" && admins.length === 1) {
        throw new FsError("EBUSY", `${name} is the last admin; add another one first`);
      }
      tx.delete(keys.user(name));
      return deleteTokensOf(tx, name);
    }, DURABLE);
  }

  async getToken(hash: string): Promise<TokenRecord | undefined> {
    return await this.#engine.read((tx) => getToken(tx, hash));
  }

  async insertToken(token: TokenRecord, passwordHash: string, limit: number): Promise<string[]> {
    return await this.#engine.transact((tx) => {
      if (getUser(tx, token.user)?.passwordHash !== passwordHash) {
        throw new FsError("EACCES", "the password has just been changed");
      }
      const excess = tokensOf(tx, token.user)
        .toSorted((a, b) => b.lastUsedMs - a.lastUsedMs)
        .slice(limit - 1)
        .map(({ hash }) => hash);
      for (const hash of excess) tx.delete(keys.token(hash));
      putToken(tx, token);
      return excess;
    }, DURABLE);
  }

  async touchToken(hash: string, lastUsedMs: number): Promise<void> {
    await this.#engine.transact((tx) => {
      const token = getToken(tx, hash);
      if (token !== undefined) putToken(tx, { ...token, lastUsedMs });
    });
  }

  async deleteToken(hash: string): Promise<void> {
    await this.#engine.transact((tx) => tx.delete(keys.token(hash)), DURABLE);
  }

  async listTokens(): Promise<TokenRecord[]> {
    return await this.#engine.read(allTokens);
  }
}

// Both kinds of record are written by the put… functions below only.
const USER_READERS = { [VERSION]: (stored: unknown) => stored as UserRecord };
const TOKEN_READERS = { [VERSION]: (stored: unknown) => stored as TokenRecord };

function getUser(tx: ReadTransaction, name: string): UserRecord | undefined {
  const record = tx.get(keys.user(name));
  return record === undefined ? undefined : decodeRecord(record, USER_READERS);
}

function requireUser(tx: ReadTransaction, name: string): UserRecord {
  const user = getUser(tx, name);
  if (user === undefined) throw new FsError("ENOENT", `there is no user ${name}`);
  return user;
}

function allUsers(tx: ReadTransaction): UserRecord[] {
  return [...tx.range(keyRanges.users())].map(({ value }) => decodeRecord(value, USER_READERS));
}

function putUser(tx: Transaction, user: UserRecord): void {
  tx.put(keys.user(user.name), encodeRecord(VERSION, user));
}

function getToken(tx: ReadTransaction, hash: string): TokenRecord | undefined {
  const record = tx.get(keys.token(hash));
  return record === undefined ? undefined : decodeRecord(record, TOKEN_READERS);
}

function allTokens(tx: ReadTransaction): TokenRecord[] {
  return [...tx.range(keyRanges.tokens())].map(({ value }) => decodeRecord(value, TOKEN_READERS));
}

function tokensOf(tx: ReadTransaction, user: string): TokenRecord[] {
  return allTokens(tx).filter((token) => token.user === user);
}

function putToken(tx: Transaction, token: TokenRecord): void {
  tx.put(keys.token(token.hash), encodeRecord(VERSION, token));
}

function deleteTokensOf(tx: Transaction, user: string): string[] {
  const hashes = tokensOf(tx, user).map(({ hash }) => hash);
  for (const hash of hashes) tx.delete(keys.token(hash));
  return hashes;
}
