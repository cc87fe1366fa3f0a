// Routes for whoever keeps the metadata whole: a copy of it, as a stream; a copy on the server, as
// the schedule makes them; what a check from outside asks and repairs.
import { once } from "node:events";
import { Router, type Response } from "express";
import { FsError } from "../domain/errno.ts";
import type { SliceId } from "../domain/ids.ts";
import type { BackupState } from "../jobs/backup/backup-job.ts";
import { makeCopy } from "../meta/copies/copy-maker.ts";
import type { ClusterRegistry } from "../meta/cluster/cluster-registry.ts";
import type { Engine } from "../meta/engine/engine.ts";
import { applyRepair, type Edit, type Repair } from "../meta/fsck/finding.ts";
import { sliceExists } from "../meta/namespace/slices.ts";
import type { Log } from "../observability/log.ts";
import type { Clock } from "../platform/clock.ts";
import { WorkLimit } from "../platform/flow/work-limit.ts";
import {
  COPY_CONTENT_TYPE,
  repairsSchema,
  slicesSchema,
  type BackupReply,
  type RepairsReply,
  type SlicesReply,
  type WireRepair,
} from "../protocol/admin/admin-api.ts";
import type { LoginGate } from "./login-gate.ts";
import { readBody } from "./read-body.ts";

/** Copies that are sent at once: each may hold changes back, in memory. */
const MAX_COPIES_AT_ONCE = 2;
/** Who takes nothing of a copy for so long has gone. */
const COPY_TAKER_TIMEOUT_MS = 60_000;

export interface MetadataSources {
  readonly engine: Engine;
  readonly cluster: ClusterRegistry;
  readonly clock: Clock;
  readonly log: Log;
  /** Makes a copy beside the metadata and on the nodes. */
  backup: () => Promise<BackupState>;
}

export function metadataRoutes(sources: MetadataSources, gate: LoginGate): Router {
  const { engine, cluster, clock, log, backup } = sources;
  const router = Router();
  const sending = new WorkLimit(MAX_COPIES_AT_ONCE, {
    maxWaiting: 0,
    refusal: () =>
      new FsError("EAGAIN", `${MAX_COPIES_AT_ONCE} copies of the metadata are being sent already`),
  });

  router.get("/metadata/copy", async (request, response) => {
    const { user } = await gate.requireAdmin(request);
    const head = { clusterId: cluster.clusterId, madeMs: clock.nowMs() };
    await sending.run(1, undefined, async () => {
      response.writeHead(200, { "content-type": COPY_CONTENT_TYPE });
      try {
        for await (const piece of makeCopy(engine, head, clock)) {
          await send(response, piece, clock);
        }
        response.end();
        log.info({ user }, "a copy of the metadata was sent");
      } catch (error) {
        // What was sent can't be taken back; without its end the taker knows that it is none.
        log.warn({ err: error, user }, "a copy of the metadata was not sent whole");
        response.destroy();
      }
    });
  });

  router.post("/metadata/copies", async (request, response) => {
    await gate.requireAdmin(request);
    response.json((await backup()) satisfies BackupReply);
  });

  router.post("/metadata/repairs", async (request, response) => {
    const { user } = await gate.requireAdmin(request);
    const repairs = readBody(request, repairsSchema).repairs.map(readRepair);
    const done: boolean[] = [];
    for (const repair of repairs) {
      done.push(await engine.transact((tx) => applyRepair(tx, repair), { durable: true }));
      log.warn({ user, how: repair.how, done: done.at(-1) }, "the metadata was repaired");
    }
    response.json({ done } satisfies RepairsReply);
  });

  router.post("/metadata/slices", async (request, response) => {
    await gate.requireAdmin(request);
    const { slices } = readBody(request, slicesSchema);
    const live = await engine.read((tx) => slices.map((id) => sliceExists(tx, id as SliceId)));
    response.json({ live } satisfies SlicesReply);
  });

  return router;
}

/** Resolves when more may be sent. */
async function send(response: Response, piece: Buffer, clock: Clock): Promise<void> {
  if (response.destroyed) throw new FsError("ECONNREFUSED", "the taker has gone");
  if (response.write(piece)) return;
  const cancel = clock.after(COPY_TAKER_TIMEOUT_MS, () => response.destroy());
  const gone = new AbortController();
  try {
    await Promise.race([
      once(response, "drain", { signal: gone.signal }),
      once(response, "close", { signal: gone.signal }),
    ]);
  } finally {
    gone.abort();
    cancel();
  }
}

function readRepair({ how, edits, bury, usage }: WireRepair): Repair {
  const bytes = (text: string | null): Buffer | null =>
    text === null ? null : Buffer.from(text, "base64");
  return {
    how,
    edits: edits.map(([key, expected, value]): Edit => ({
      key: Buffer.from(key, "base64"),
      expected: bytes(expected),
      value: bytes(value),
    })),
    bury: bury.map((id) => id as SliceId),
    ...(usage === undefined ? {} : { usage }),
  };
}
