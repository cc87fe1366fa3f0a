import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { Credentials, normalizeMetaUrl } from "./credentials.ts";
import { CliError } from "../terminal/exit-codes.ts";

async function makeDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dfs-credentials-"));
  t.teardown(() => rm(directory, { recursive: true }));
  return directory;
}

test("a login is kept per cluster for its owner alone, the latest is the default", async (t) => {
  const directory = await makeDirectory(t);
  const written = await Credentials.open(directory);
  await written.save("http://one:7400", { user: "alice", token: "t1" });
  await written.save("http://two:7400", { user: "bob", token: "t2" });
  t.is((await stat(join(directory, "credentials.json"))).mode & 0o777, 0o600);

  const read = await Credentials.open(directory);
  t.deepEqual(read.connection("one:7400"), { url: "http://one:7400", user: "alice", token: "t1" });
  t.deepEqual(read.connection(), { url: "http://two:7400", user: "bob", token: "t2" });
  await read.forget("http://two:7400");
  t.deepEqual((await Credentials.open(directory)).connection(), { url: "http://two:7400" });
});

test("URLs are compared in one form, and what is none is a usage error", (t) => {
  t.is(normalizeMetaUrl("host:7400"), "http://host:7400");
  t.is(normalizeMetaUrl("http://Host:7400/"), "http://host:7400");
  t.is(normalizeMetaUrl("https://host/path"), "https://host");
  for (const text of ["", "ftp://host", "http://", "ho st"]) {
    t.is(t.throws(() => normalizeMetaUrl(text), { instanceOf: CliError }).exitCode, 2, text);
  }
});
