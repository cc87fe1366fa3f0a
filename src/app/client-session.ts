// Composes a client: one session with the metadata server, stripes on the nodes, and the VFS on
// top. Used by the mount and by the commands that read and write without one.
import { PolicyCodecs, type Coding } from "../codec/policy-codecs.ts";
import type { BlockStore } from "../stripes/block-store.ts";
import type { Connect } from "../stripes/nodes/node-link.ts";
import { StripeBlockStore } from "../stripes/stripe-block-store.ts";
import type { MapHistory } from "../domain/cluster-map.ts";
import type { Ino } from "../domain/ids.ts";
import type { Log } from "../observability/log.ts";
import { systemClock, type Clock } from "../platform/clock.ts";
import type { MetaSession } from "../protocol/meta/meta-service.ts";
import { connectMetaSession } from "../protocol/meta/meta-session-client.ts";
import { dialWebSocket } from "../protocol/rpc/web-sockets.ts";
import { HttpShardService } from "../protocol/shard/shard-http-client.ts";
import { DfsVfs } from "../vfs/open/dfs-vfs.ts";
import type { Vfs } from "../vfs/vfs.ts";
import "./limit-relations.ts";

export interface ClientSessionOptions {
  /** Base URL of the metadata server. */
  url: string;
  token: string;
  /** How the session is called in the server's log and status. */
  clientName: string;
  /** Memory for blocks read before; the default stands in limits.ts. */
  cacheBytes?: number;
  /** Every operation that would change something answers EROFS. */
  readOnly?: boolean;
  log: Log;
}

export interface ClientSession {
  readonly meta: MetaSession;
  readonly vfs: Vfs;
  /** Inodes of files that are open now. */
  openInodes(): Ino[];
  /** Commits what is dirty, then ends the session. */
  close(): Promise<void>;
}

/** @throws FsError EACCES (token refused), ECONNREFUSED or ETIMEDOUT (no server there) */
export async function openClientSession(options: ClientSessionOptions): Promise<ClientSession> {
  const { url, token, clientName, log } = options;
  const meta = await connectMetaSession({
    clock: systemClock,
    url,
    token,
    dial: dialWebSocket,
    clientName,
    log,
  });
  try {
    return await composeClient(meta, {
      ...options,
      clock: systemClock,
      connect: ({ id: node, url: at }) =>
        new HttpShardService(at, { clock: systemClock, cluster: meta.clusterId, node }),
      coding: new PolicyCodecs(),
    });
  } catch (error) {
    await meta.close();
    throw error;
  }
}

/** What a client has besides its session. */
export interface ClientParts extends Pick<ClientSessionOptions, "cacheBytes" | "readOnly" | "log"> {
  readonly clock: Clock;
  readonly connect: Connect;
  readonly coding: Coding;
}

/** The client ends the session when it is closed. */
export async function composeClient(
  meta: MetaSession,
  options: ClientParts,
): Promise<ClientSession> {
  const { cacheBytes, readOnly = false, clock, connect, coding, log } = options;
  // Listening before asking: no change may fall between the two.
  let changed: MapHistory | undefined;
  meta.on("mapChanged", (maps) => {
    changed = maps;
  });
  const asked = await meta.maps();
  const blocks = new StripeBlockStore({
    maps: () => changed ?? asked,
    connect,
    reportDamage: (reports) => {
      meta.reportDamage(reports).catch((error: unknown) => {
        // Repair finds it without us too, only later.
        log.warn({ err: error, reports: reports.length }, "damage could not be reported");
      });
    },
    coding,
    cluster: meta.clusterId,
    clock,
    log,
  });
  const vfs = new DfsVfs({
    meta,
    blocks,
    clock,
    log,
    readOnly,
    ...(cacheBytes === undefined ? {} : { cacheBytes }),
  });
  return {
    meta,
    vfs,
    openInodes: () => vfs.openInodes,
    close: () => closeInOrder(vfs, blocks, meta),
  };
}

/** From the top down, each even if the one before failed; the first failure is told. */
async function closeInOrder(vfs: Vfs, blocks: BlockStore, meta: MetaSession): Promise<void> {
  try {
    await vfs.close();
  } finally {
    try {
      await blocks[Symbol.asyncDispose]();
    } finally {
      await meta.close();
    }
  }
}
