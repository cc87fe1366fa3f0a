import test from "ava";
import type { TokenRecord, UserRecord } from "../../auth/accounts.ts";
import { EngineMachine } from "../../testing/engine/engine-machine.ts";
import { EngineAccountStore } from "./account-store.ts";

const ann: UserRecord = { name: "ann", role: "admin", passwordHash: "one", createdMs: 1 };
const token: TokenRecord = { hash: "t", user: "ann", client: "c", createdMs: 1, lastUsedMs: 1 };

test("what was answered of users and tokens outlives a power cut", async (t) => {
  const machine = new EngineMachine();
  const after = async (change: (store: EngineAccountStore) => Promise<unknown>) => {
    await change(new EngineAccountStore(await machine.open()));
    machine.cut();
    const engine = await machine.open();
    const store = new EngineAccountStore(engine);
    const [users, tokens] = [await store.listUsers(), await store.listTokens()];
    await engine.close();
    return [
      users.map((user) => `${user.name} ${user.passwordHash}`),
      tokens.map(({ hash }) => hash),
    ];
  };
  t.deepEqual(await after((store) => store.insertUser(ann, true)), [["ann one"], []]);
  t.deepEqual(await after((store) => store.insertToken(token, "one", 9)), [["ann one"], ["t"]]);
  t.deepEqual(await after((store) => store.replacePassword("ann", "two")), [["ann two"], []]);
  await after((store) => store.insertToken(token, "two", 9));
  t.deepEqual(await after((store) => store.deleteToken("t")), [["ann two"], []]);
  await after((store) => store.insertUser({ ...ann, name: "bob" }, false));
  t.deepEqual(await after((store) => store.deleteUser("bob")), [["ann two"], []]);
});
