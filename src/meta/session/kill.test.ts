import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { systemClock } from "../../platform/clock.ts";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { ROOT_INO } from "../../domain/ids.ts";
import { toName } from "../../domain/name.ts";
import { silentLog } from "../../observability/log.ts";
import { connectMetaSession } from "../../protocol/meta/meta-session-client.ts";
import { dialWebSocket } from "../../protocol/rpc/web-sockets.ts";
import { MetaProxy } from "../../testing/meta/meta-proxy.ts";
import { firstLogin } from "../../testing/meta/meta-server.ts";
import { present } from "../../testing/present.ts";

const SCRIPT = new URL("../../testing/meta/meta-server-process.js", import.meta.url);
const KILLS = 3;
const CREATED_BETWEEN_KILLS = 150;
const WORKERS = 16;

interface ServerProcess {
  readonly child: ChildProcess;
  readonly url: string;
}

async function startServer(dataDir: string, port: number): Promise<ServerProcess> {
  const child = fork(SCRIPT, [dataDir, String(port)], {
    env: { ...process.env, DFS_LOG: "silent" },
    execArgv: [],
  });
  const [url] = (await once(child, "message")) as [string];
  return { child, url };
}

async function kill({ child }: ServerProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

test("a server killed amid creates loses none it acknowledged and does none twice", async (t) => {
  t.timeout(60_000);
  const dataDir = await mkdtemp(join(tmpdir(), "dfs-kill-"));
  let server = await startServer(dataDir, 0);
  const port = Number(new URL(server.url).port);
  t.teardown(async () => {
    await kill(server);
    await rm(dataDir, { recursive: true });
  });
  const token = await firstLogin(server.url);
  await using proxy = await MetaProxy.start(server.url);
  const { url } = proxy;
  const session = await connectMetaSession({
    clock: systemClock,
    url,
    token,
    dial: dialWebSocket,
    clientName: "kill",
    log: silentLog,
  });
  let lost = 0;
  session.on("sessionLost", () => (lost += 1));

  const acknowledged = new Set<string>();
  let stopped = false;
  let onProgress: () => void = () => undefined;
  // Done twice, the exclusive create would fail with EEXIST and the rename with ENOENT.
  const worker = async (id: number): Promise<void> => {
    for (let index = 0; !stopped; index++) {
      const [first, final] = [toName(`new-${id}-${index}`), toName(`done-${id}-${index}`)];
      await session.create(ROOT_CALLER, ROOT_INO, first, { mode: 0o100644 }, true);
      await session.rename(ROOT_CALLER, ROOT_INO, first, ROOT_INO, final, 0);
      acknowledged.add(final);
      onProgress();
    }
  };
  const workers = Promise.all(Array.from({ length: WORKERS }, (_, id) => worker(id)));
  for (let round = 1; round <= KILLS; round++) {
    const enough = acknowledged.size + CREATED_BETWEEN_KILLS;
    const progressed = new Promise<void>((resolve) => {
      onProgress = () => {
        if (acknowledged.size >= enough) resolve();
      };
    });
    await Promise.race([progressed, workers]);
    // Some requests are done, and their answers on the way, when the server dies.
    await proxy.swallowAnswers();
    await kill(server);
    proxy.cut();
    server = await startServer(dataDir, port);
  }
  await session.syncMetadata();
  stopped = true;
  await workers;

  const found = new Set<string>();
  for (let cursor = 0, more = true; more;) {
    const page = await session.readdir(ROOT_CALLER, ROOT_INO, cursor, 512, true);
    for (const { name, cookie, attr } of page.entries) {
      found.add(name);
      cursor = cookie;
      t.is(present(attr).nlink, 1);
    }
    more = page.more;
  }
  t.deepEqual([...found].sort(), [...acknowledged].sort());
  t.is(lost, 0, "the session goes on through every restart");
  await session.close();
});
