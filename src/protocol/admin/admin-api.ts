// The REST API of the metadata server: every request and answer, as schemas and as types.
import { z } from "zod";
import { ROLES } from "../../auth/role.ts";
import {
  MAX_CLIENT_NAME_CHARS,
  MAX_DAMAGE_REPORTS,
  MAX_XATTR_VALUE_BYTES,
} from "../../domain/limits.ts";
import { MAX_NODE_WEIGHT } from "../../domain/format.ts";
import { MAX_PASSWORD_BYTES } from "../../auth/limits.ts";

export const API_BASE = "/api/v1";

/** Errors of every route (RFC 9457): `code` is an errno name, `detail` says what to do. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
});
export type Problem = z.infer<typeof problemSchema>;
export const PROBLEM_CONTENT_TYPE = "application/problem+json";

/** readonly and the finer rules come with capabilities; today only admin is looked at. */
export const roleSchema = z.enum(ROLES);

const password = z.string().min(1).max(MAX_PASSWORD_BYTES);
const userName = z.string().min(1).max(256);

export const loginRequestSchema = z.object({
  user: userName,
  password,
  /** How the token is called in lists: host and program. */
  client: z.string().max(MAX_CLIENT_NAME_CHARS).optional(),
});
export const loginReplySchema = z.object({ token: z.string(), user: z.string() });
export type LoginReply = z.infer<typeof loginReplySchema>;

export const userSchema = z.object({
  name: z.string(),
  role: roleSchema,
  createdMs: z.number(),
  tokens: z.int(),
});
export type User = z.infer<typeof userSchema>;
export const userListSchema = z.object({ users: z.array(userSchema) });

export const addUserRequestSchema = z.object({
  name: userName,
  password,
  role: roleSchema.optional(),
});
export const setPasswordRequestSchema = z.object({ password });
export const whoamiSchema = z.object({ user: z.string(), role: roleSchema, client: z.string() });
export type WhoAmI = z.infer<typeof whoamiSchema>;

const bytes = z.number().min(0);
const count = z.int().min(0);
/** In base64: the longest that a repair changes is an extended attribute. */
const MAX_RECORD_CHARS = 4 * Math.ceil(MAX_XATTR_VALUE_BYTES / 3);
/** Repairs of one request, as many of the longest as fit… */
export const MAX_REPAIRS = 16;
/** …into this: an attribute that goes, or twice a slice's inline bytes, and some short records. */
export const MAX_REPAIRS_BYTES = 2 * 1024 * 1024;
/** Slices asked about in one request. */
export const MAX_SLICES_ASKED = 4096;
const nodeId = z.string().regex(/^[0-9a-f]{12}$/);

/** Where clients and other nodes reach it. */
const nodeUrl = z.url({ protocol: /^https?$/ }).max(256);
/** Drawn by a node at its start: it tells the process from others with the node's name. */
const nonce = z.string().regex(/^[0-9a-f]{16,64}$/);

export const registerNodeSchema = z.object({
  id: nodeId,
  url: nodeUrl,
  nonce,
  /** Number of the node's start, as its data counts them. */
  start: z.int().min(1),
  zone: z.string().max(64).default(""),
  weight: z.int().min(1).max(MAX_NODE_WEIGHT).default(100),
  capacityBytes: bytes,
  usedBytes: bytes,
  /**
   * The cluster it has joined before. Another one's node is refused with 409 and EEXIST; one as
   * which another process serves, with 409 and EBUSY.
   */
  clusterId: z.string().max(64).optional(),
});
export type RegisterNode = z.infer<typeof registerNodeSchema>;
export const registerReplySchema = z.object({ epoch: z.int(), clusterId: z.string() });
export type RegisterReply = z.infer<typeof registerReplySchema>;

/** Answered with 404 when the node must register, 409 when another process serves as it. */
/** Who says it: the process that is registered as the node, or nobody listens. */
export const nodeSenderSchema = z.object({ nonce, url: nodeUrl });
export type NodeSender = z.infer<typeof nodeSenderSchema>;
export const heartbeatSchema = nodeSenderSchema.extend({
  usedBytes: bytes,
  capacityBytes: bytes,
  shards: z.number().min(0),
  quarantined: z.number().min(0),
  parked: z.number().min(0),
  parkedBytes: bytes,
});
export type Heartbeat = z.infer<typeof heartbeatSchema>;
export const heartbeatReplySchema = z.object({ epoch: z.int() });
export type HeartbeatReply = z.infer<typeof heartbeatReplySchema>;

/** Shard ids in their text form (domain/ids.ts). */
export const nodeDamageSchema = nodeSenderSchema.extend({
  reports: z
    .array(z.object({ shard: z.string().max(64), kind: z.enum(["missing", "corrupt"]) }))
    .max(MAX_DAMAGE_REPORTS),
});
export type NodeDamage = z.infer<typeof nodeDamageSchema>;

/** Of a copy of the metadata, whose layout meta/copies has. */
export const COPY_CONTENT_TYPE = "application/vnd.dfs.metadata-copy";

/** Wall clocks of the newest copies: in a file of the metadata server, and on the nodes. */
export const backupReplySchema = z.object({
  fileMs: z.number().optional(),
  nodesMs: z.number().optional(),
});
export type BackupReply = z.infer<typeof backupReplySchema>;

/** Key, what it had and what it gets, in base64; null: no record. */
const editSchema = z.tuple([
  z.string().max(2048),
  z.string().max(MAX_RECORD_CHARS).nullable(),
  z.string().max(MAX_RECORD_CHARS).nullable(),
]);
const repairSchema = z.object({
  how: z.string().max(256),
  edits: z.array(editSchema).max(16),
  bury: z.array(count).max(16).default([]),
  usage: z.object({ inodes: z.int(), bytes: z.int() }).optional(),
});
export type WireRepair = z.infer<typeof repairSchema>;
export const repairsSchema = z.object({ repairs: z.array(repairSchema).max(MAX_REPAIRS) });
/** By repair: false where something was no longer as it was expected. */
export const repairsReplySchema = z.object({ done: z.array(z.boolean()) });
export type RepairsReply = z.infer<typeof repairsReplySchema>;

export const slicesSchema = z.object({ slices: z.array(count).max(MAX_SLICES_ASKED) });
/** By slice: something cites it. */
export const slicesReplySchema = z.object({ live: z.array(z.boolean()) });
export type SlicesReply = z.infer<typeof slicesReplySchema>;

/** ok; degraded: works, with less redundancy than it should have; critical: the next loss hurts. */
export const healthSchema = z.enum(["ok", "degraded", "critical", "unavailable"]);
export type Health = z.infer<typeof healthSchema>;

export const clusterStatusSchema = z.object({
  clusterId: z.string(),
  epoch: z.int(),
  health: healthSchema,
  /** What is wrong, each with what to do about it; empty when all is well. */
  problems: z.array(z.object({ what: z.string(), todo: z.string() })),
  /** Further node losses that lose no data, whichever nodes they are; -1: unreadable data now. */
  survivesLosses: z.int(),
  pools: z.array(
    z.object({ id: z.int(), name: z.string(), k: z.int(), m: z.int(), pgCount: z.int() }),
  ),
  nodes: z.array(
    z.object({
      id: z.string(),
      url: z.string(),
      zone: z.string(),
      state: z.enum(["up", "down", "out", "draining"]),
      weight: z.int(),
      usedBytes: z.number(),
      capacityBytes: z.number(),
      /** Absent when it has not been heard of since the metadata server started. */
      lastSeenMsAgo: z.number().optional(),
      shards: z.number(),
      quarantined: z.number(),
      /** In its trash. */
      parked: z.number(),
      parkedBytes: z.number(),
      /** Deleted slices whose shards are still to go from it. */
      deadSlices: z.int(),
    }),
  ),
  /** Placement groups; a dirty one waits to be looked at by repair. */
  groups: z.object({ total: z.int(), clean: z.int(), dirty: z.int() }),
  /** What is feared, or known to be wrong, until repair has answered it. */
  concerns: z.object({
    damageReports: z.int(),
    /** Placement groups in which a node has not said yet that it has its shards. */
    doubtedGroups: z.int(),
    /** Blocks that can't be read though every node answers. */
    unreadableBlocks: z.int(),
    /** Blocks on the nodes that no record explains; they are kept. */
    unexplainedBlocks: z.int(),
    /** Why nothing is deleted for want of a record, until a survey has seen every node. */
    reconcile: z.string().optional(),
  }),
  files: z.number(),
  /** User data kept, and what fits, redundancy taken off. */
  usedBytes: z.number(),
  totalBytes: z.number(),
  freeBytes: z.number(),
  sessions: z.array(
    z.object({
      id: z.int(),
      client: z.string(),
      user: z.string(),
      sinceMs: z.number(),
      connected: z.boolean(),
    }),
  ),
  users: z.int(),
  /** Ages of the newest copies of the metadata: its file, and on the nodes; absent: none. */
  backups: z
    .object({ fileMsAgo: z.number().optional(), nodesMsAgo: z.number().optional() })
    .optional(),
  /** Background jobs of the metadata server; figures since it started. */
  jobs: z.array(
    z.object({
      name: z.string(),
      /** running: has more to do; waiting: for something to get better; failed: will try again. */
      state: z.enum(["idle", "running", "waiting", "failed"]),
      passes: z.int(),
      failures: z.int(),
      /** In the job's own units: placement groups, slices, chunks. */
      waiting: z.int().optional(),
      done: z.int().optional(),
      doneBytes: z.number().optional(),
      /** Absent before the first pass. */
      lastRunMsAgo: z.number().optional(),
      lastError: z.string().optional(),
    }),
  ),
});
export type ClusterStatus = z.infer<typeof clusterStatusSchema>;
