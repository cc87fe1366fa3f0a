// The metadata server over its session protocol, without VFS and kernel.
import { systemClock } from "../../platform/clock.ts";
import { ROOT_CALLER, S_IFREG } from "../../domain/attributes.ts";
import type { Name } from "../../domain/ids.ts";
import { ROOT_INO } from "../../domain/ids.ts";
import { toName } from "../../domain/name.ts";
import { silentLog } from "../../observability/log.ts";
import { connectMetaSession } from "../../protocol/meta/meta-session-client.ts";
import { dialWebSocket } from "../../protocol/rpc/web-sockets.ts";
import { type Metric, timeSeconds } from "./metric.ts";
import { inLanes } from "./shard-bench.ts";

const OUTSTANDING = 64;

export async function benchMeta(url: string, token: string, count: number): Promise<Metric[]> {
  await using meta = await connectMetaSession({
    clock: systemClock,
    url,
    token,
    dial: dialWebSocket,
    clientName: "dfs bench",
    log: silentLog,
  });
  const { ino } = await meta.mkdir(ROOT_CALLER, ROOT_INO, toName(".dfs-bench-meta"), 0o700);
  const names = Array.from({ length: count }, (_, i) => toName(`file-${i}`));
  const run = async (name: string, work: (item: Name) => Promise<unknown>): Promise<Metric> => {
    const seconds = await timeSeconds(() => inLanes(names, work, OUTSTANDING));
    return { subject: "meta", name, value: count / seconds, unit: "1/s" };
  };
  const metrics = [
    await run("create", async (name) => {
      const request = { mode: S_IFREG | 0o600 };
      const { attr } = await meta.create(ROOT_CALLER, ino, name, request, true);
      await meta.release([attr.ino]);
    }),
    await run("lookup", (name) => meta.lookup(ROOT_CALLER, ino, name)),
    await run("unlink", (name) => meta.unlink(ROOT_CALLER, ino, name)),
  ];
  await meta.rmdir(ROOT_CALLER, ROOT_INO, toName(".dfs-bench-meta"));
  return metrics;
}
