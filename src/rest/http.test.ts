import test from "ava";
import { MAX_PASSWORD_BYTES } from "../auth/limits.ts";
import { silentLog } from "../observability/log.ts";
import { startMetadataServer } from "../app/metadata-server.ts";
import { problemSchema, type Problem } from "../protocol/admin/admin-api.ts";
import { AdminClient } from "../protocol/admin/admin-client.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { TEST_PASSWORD, TEST_USER, TestMetaServer } from "../testing/meta/meta-server.ts";
import { present } from "../testing/present.ts";

const NODE_A = "00000000000a";
const NONCE = "a".repeat(16);
const SIZES = { capacityBytes: 6000, usedBytes: 600 };

async function post(url: string, path: string, body: unknown): Promise<Response> {
  return await fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

async function problemOf(response: Response): Promise<Problem> {
  return problemSchema.parse(await response.json());
}

async function registerNodes(url: string, count: number): Promise<void> {
  for (let index = 1; index <= count; index++) {
    const id = index.toString(16).padStart(12, "0");
    const node = { id, url: `http://127.0.0.1:${index}`, nonce: NONCE, start: 1, ...SIZES };
    await post(url, "/api/v1/nodes/register", node);
  }
}

test("on a fresh cluster everything says how to make the first user, an admin", async (t) => {
  const server = await startMetadataServer({
    dataDir: "/nowhere",
    engine: "memory",
    port: 0,
    log: silentLog,
  });
  t.teardown(() => server.close());
  const { url } = server;
  const anonymous = new AdminClient(url);
  const refused = await fetch(`${url}/api/v1/status`);
  t.is(refused.status, 401);
  t.regex((await problemOf(refused)).detail, /dfs user add .* `dfs login`/);
  t.is((await anonymous.addUser("anna", "correct horse", "user")).role, "admin");
  await t.throwsAsync(anonymous.addUser("bert", "correct horse"), {
    code: "EACCES",
    message: /dfs login/,
  });
  const { token } = await anonymous.login("anna", "correct horse", "laptop");
  const admin = new AdminClient(url, token);
  t.deepEqual(await admin.whoami(), { user: "anna", role: "admin", client: "laptop" });
});

test("users other than admins administer only themselves", async (t) => {
  await using server = await TestMetaServer.start();
  const { admin, url } = server;
  await admin.addUser("bert", "correct horse");
  const { token } = await new AdminClient(url).login("bert", "correct horse");
  const bert = new AdminClient(url, token);
  t.is((await bert.whoami()).role, "user");
  await t.throwsAsync(bert.addUser("carl", "correct horse"), { code: "EPERM" });
  await t.throwsAsync(bert.removeUser(TEST_USER), { code: "EPERM" });
  await t.throwsAsync(bert.setPassword(TEST_USER, "other horse"), { code: "EPERM" });
  await t.throwsAsync(bert.listUsers(), { code: "EPERM" });
  await bert.setPassword("bert", "other horse");
  await t.throwsAsync(bert.whoami(), { code: "EACCES" }, "a new password ends all logins");
  await admin.removeUser("bert");
  await t.throwsAsync(admin.removeUser("bert"), { code: "ENOENT" });
  t.deepEqual(
    (await admin.listUsers()).map(({ name, tokens }) => [name, tokens]),
    [[TEST_USER, 1]],
  );
});

test("a logged-out token is good for nothing", async (t) => {
  await using server = await TestMetaServer.start();
  await server.admin.logout();
  await t.throwsAsync(server.admin.status(), { code: "EACCES" });
});

test("wrong passwords are refused, and slowed down after a few", async (t) => {
  await using server = await TestMetaServer.start({ clock: new FakeClock() });
  const client = new AdminClient(server.url);
  for (let attempt = 0; attempt < 5; attempt++) {
    await t.throwsAsync(client.login(TEST_USER, "wrong horse"), { code: "EACCES" });
  }
  await t.throwsAsync(client.login(TEST_USER, TEST_PASSWORD), { code: "EAGAIN" });
});

test("what can't be understood is a problem with a reason, never a crash", async (t) => {
  await using server = await TestMetaServer.start();
  const login = "/api/v1/login";
  const long = { user: "anna", password: "x".repeat(MAX_PASSWORD_BYTES + 1) };
  const bodies = ["{", "[]", "null", { user: 5, password: "x" }, {}, long];
  for (const body of bodies) {
    const response = await post(server.url, login, body);
    t.is(response.status, 400);
    t.is(present(response.headers.get("content-type")).split(";")[0], "application/problem+json");
    t.is((await problemOf(response)).code, "EINVAL");
  }
  t.is((await post(server.url, login, { user: "x".repeat(300_000) })).status, 413);
  const nowhere = await fetch(`${server.url}/api/v1/nowhere`);
  t.is((await problemOf(nowhere)).status, 404);
  t.is((await fetch(`${server.url}/healthz`)).status, 200);
  t.is((await fetch(`${server.url}/readyz`)).status, 200);
});

test("nodes join, beat, report damage and leave; strangers and unknown ones hear so", async (t) => {
  await using server = await TestMetaServer.start();
  const { url } = server;
  const nodes = `/api/v1/nodes`;
  const who = { url: "http://127.0.0.1:9000", nonce: NONCE };
  const join = { id: NODE_A, ...who, start: 1, zone: "z", weight: 50, ...SIZES };
  const joined = await post(url, `${nodes}/register`, join);
  const { clusterId, epoch } = (await joined.json()) as { clusterId: string; epoch: number };
  t.is(clusterId, (await server.admin.status()).clusterId);
  t.is((await post(url, `${nodes}/register`, { ...join, clusterId: "other" })).status, 409);
  t.is((await post(url, `${nodes}/register`, { ...join, id: "x" })).status, 400);
  const second = { ...join, url: "http://127.0.0.1:9001", nonce: "b".repeat(16) };
  const refused = await post(url, `${nodes}/register`, second);
  t.is(refused.status, 409);
  t.is((await problemOf(refused)).code, "EBUSY");
  const trash = { parked: 3, parkedBytes: 96 };
  const beat = { usedBytes: 1200, capacityBytes: 6000, shards: 7, quarantined: 1, ...trash };
  const beaten = await post(url, `${nodes}/${NODE_A}/heartbeat`, { ...who, ...beat });
  t.deepEqual(await beaten.json(), { epoch });
  t.is((await post(url, `${nodes}/00000000000b/heartbeat`, { ...who, ...beat })).status, 404);
  const other = { ...who, nonce: second.nonce };
  t.is((await post(url, `${nodes}/${NODE_A}/heartbeat`, { ...other, ...beat })).status, 409);
  const reports = [{ shard: "1-5-100-0-3", kind: "corrupt" }];
  t.is((await post(url, `${nodes}/${NODE_A}/damage`, { ...who, reports })).status, 204);
  t.is((await post(url, `${nodes}/${NODE_A}/damage`, { ...who, reports: [{}] })).status, 400);
  t.is((await post(url, `${nodes}/${NODE_A}/damage`, { ...other, reports })).status, 409);
  const status = await server.admin.status();
  t.like(status.nodes[0], { ...beat, id: NODE_A, zone: "z", weight: 50, state: "up" });
  t.is(status.groups.dirty, 1);
  t.is(status.totalBytes, 4000);
  t.is(status.freeBytes, 3200);
  const left = await post(url, `${nodes}/${NODE_A}/leaving`, who);
  t.is((await post(url, `${nodes}/${NODE_A}/leaving`, other)).status, 409);
  t.deepEqual(await left.json(), { epoch: epoch + 1 });
  t.is(present((await server.admin.status()).nodes[0]).state, "down");
});

test("status says how well the data is kept and what to do about it", async (t) => {
  await using server = await TestMetaServer.start();
  const { url, admin } = server;
  const none = await admin.status();
  t.is(none.health, "unavailable");
  t.regex(present(present(none.problems[0]).todo), /dfs node/);
  await registerNodes(url, 1);
  t.like(await admin.status(), { health: "degraded", survivesLosses: 0 });
  await registerNodes(url, 6);
  t.like(await admin.status(), { health: "ok", survivesLosses: 2, problems: [] });
  const leave = (id: number): Promise<Response> =>
    post(url, `/api/v1/nodes/${id.toString(16).padStart(12, "0")}/leaving`, {
      url: `http://127.0.0.1:${id}`,
      nonce: NONCE,
    });
  await leave(1);
  const degraded = await admin.status();
  t.like(degraded, { health: "degraded", survivesLosses: 1 });
  t.regex(
    present(present(degraded.problems[0]).what),
    /000000000001 .* is down, last seen \d+ s ago/,
  );
  await leave(2);
  t.like(await admin.status(), { health: "critical", survivesLosses: 0 });
  await leave(3);
  const broken = await admin.status();
  t.like(broken, { health: "unavailable", survivesLosses: -1 });
  t.regex(present(present(broken.problems[0]).what), /cannot be read/);
});
