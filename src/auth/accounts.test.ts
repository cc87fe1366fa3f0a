import test from "ava";
import { systemRandom } from "../platform/random.ts";
import { LOGIN_FREE_ATTEMPTS, MAX_PASSWORD_BYTES, TOKEN_USE_RESOLUTION_MS } from "./limits.ts";
import { MemoryEngine } from "../meta/engine/memory-engine.ts";
import { EngineAccountStore } from "../meta/accounts/account-store.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { Accounts } from "./accounts.ts";
import { LoginThrottle } from "./login-throttle.ts";
import { Passwords } from "./passwords.ts";
import { bearerToken, hashToken, mintToken } from "./token.ts";
import { present } from "../testing/present.ts";

const PASSWORD = "correct horse";

function createAccounts(clock = new FakeClock()): Accounts {
  return new Accounts({
    random: systemRandom,
    store: new EngineAccountStore(new MemoryEngine()),
    passwords: new Passwords({ memoryKib: 64, passes: 1 }),
    throttle: new LoginThrottle(clock),
    clock,
  });
}

async function withAdmin(clock?: FakeClock): Promise<Accounts> {
  const accounts = createAccounts(clock);
  await accounts.addUser("anna", PASSWORD, "user", true);
  return accounts;
}

test("the first user is an admin, and only one can be first", async (t) => {
  const accounts = createAccounts();
  t.true(await accounts.isEmpty());
  const both = await Promise.allSettled([
    accounts.addUser("anna", PASSWORD, "user", true),
    accounts.addUser("bert", PASSWORD, "user", true),
  ]);
  t.deepEqual(both.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  const [user] = await accounts.listUsers();
  t.is(present(user).role, "admin");
});

test("a token says whose it is until it is logged out", async (t) => {
  const accounts = await withAdmin();
  const token = await accounts.login("anna", PASSWORD, "laptop", "127.0.0.1");
  const principal = await accounts.authenticate(token);
  t.like(principal, { user: "anna", role: "admin", client: "laptop" });
  t.is(await accounts.authenticate(mintToken(systemRandom).token), undefined);
  t.is(await accounts.authenticate(undefined), undefined);
  await accounts.logout(present(principal));
  t.is(await accounts.authenticate(token), undefined);
});

test("wrong password and unknown user are answered alike", async (t) => {
  const accounts = await withAdmin();
  const attempt = (user: string): Promise<unknown> =>
    t.throwsAsync(accounts.login(user, "wrong horse", "", "a"), {
      code: "EACCES",
      message: "wrong user name or password",
    });
  await attempt("anna");
  await attempt("nobody");
});

test("guessing is slowed down, for that user from that address only", async (t) => {
  const clock = new FakeClock();
  const accounts = await withAdmin(clock);
  const login = (password: string, address: string): Promise<string> =>
    accounts.login("anna", password, "", address);
  for (let attempt = 0; attempt < LOGIN_FREE_ATTEMPTS; attempt++) {
    await t.throwsAsync(login("wrong horse", "a"), { code: "EACCES" });
  }
  await t.throwsAsync(login(PASSWORD, "a"), { code: "EAGAIN" });
  await t.notThrowsAsync(login(PASSWORD, "b"));
  await clock.advance(1001);
  await t.notThrowsAsync(login(PASSWORD, "a"));
  await t.throwsAsync(login("wrong horse", "a"), { code: "EACCES" }, "success resets the count");
});

test("attempts made at once don't escape the slow-down", async (t) => {
  const accounts = await withAdmin();
  const attempts = Array.from({ length: 20 }, () =>
    accounts.login("anna", "wrong horse", "", "a").catch((error: unknown) => error),
  );
  const codes = (await Promise.all(attempts)).map((error) => (error as { code: string }).code);
  t.is(codes.filter((code) => code === "EACCES").length, LOGIN_FREE_ATTEMPTS);
});

test("a new password and removal revoke the user's tokens and tell who listens", async (t) => {
  const accounts = await withAdmin();
  await accounts.addUser("bert", PASSWORD, "user");
  const revoked: string[] = [];
  accounts.onRevoked((hashes) => revoked.push(...hashes));
  const first = await accounts.login("bert", PASSWORD, "", "a");
  await accounts.setPassword("bert", "other horse");
  t.is(await accounts.authenticate(first), undefined);
  await t.throwsAsync(accounts.login("bert", PASSWORD, "", "a"), { code: "EACCES" });
  const second = await accounts.login("bert", "other horse", "", "a");
  await accounts.removeUser("bert");
  t.is(await accounts.authenticate(second), undefined);
  t.deepEqual(revoked, [hashToken(first), hashToken(second)]);
});

test("the last admin stays", async (t) => {
  const accounts = await withAdmin();
  await accounts.addUser("bert", PASSWORD, "user");
  await t.throwsAsync(accounts.removeUser("anna"), { code: "EBUSY" });
  await accounts.addUser("carl", PASSWORD, "admin");
  await t.notThrowsAsync(accounts.removeUser("anna"));
});

test("names and passwords that can't be used are refused", async (t) => {
  const accounts = await withAdmin();
  for (const name of ["", "Anna", "a b", "../x", "ä", "a".repeat(65), "-a"]) {
    await t.throwsAsync(accounts.addUser(name, PASSWORD, "user"), { code: "EINVAL" }, name);
  }
  for (const password of ["short", "x".repeat(MAX_PASSWORD_BYTES + 1)]) {
    await t.throwsAsync(accounts.addUser("bert", password, "user"), { code: "EINVAL" });
  }
  await t.throwsAsync(accounts.addUser("anna", PASSWORD, "user"), { code: "EEXIST" });
  await t.throwsAsync(accounts.setPassword("nobody", PASSWORD), { code: "ENOENT" });
});

test("a token's last use is noted to the hour", async (t) => {
  const clock = new FakeClock();
  const engine = new MemoryEngine();
  const store = new EngineAccountStore(engine);
  const accounts = new Accounts({
    random: systemRandom,
    store,
    passwords: new Passwords({ memoryKib: 64, passes: 1 }),
    throttle: new LoginThrottle(clock),
    clock,
  });
  await accounts.addUser("anna", PASSWORD, "user", true);
  const token = await accounts.login("anna", PASSWORD, "", "a");
  const lastUsed = async (): Promise<number> =>
    (await store.getToken(hashToken(token)))?.lastUsedMs ?? 0;
  const created = await lastUsed();
  await clock.advance(TOKEN_USE_RESOLUTION_MS - 1);
  await accounts.authenticate(token);
  t.is(await lastUsed(), created);
  await clock.advance(1);
  await accounts.authenticate(token);
  t.is(await lastUsed(), created + TOKEN_USE_RESOLUTION_MS);
});

test("only a well-formed bearer token is looked up", (t) => {
  const { token } = mintToken(systemRandom);
  t.is(bearerToken(`Bearer ${token}`), token);
  for (const header of [undefined, "", token, "Bearer ", "Bearer x", `Basic ${token}`]) {
    t.is(bearerToken(header), undefined);
  }
});
