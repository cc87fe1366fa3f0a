// What a node makes of its metadata server's answers.
import test from "ava";
import { isFsError, type FsError } from "../../domain/errno.ts";
import type { NodeId } from "../../domain/ids.ts";
import { HEARTBEAT_INTERVAL_MS } from "../../domain/limits.ts";
import { silentLog } from "../../observability/log.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { REGISTER_BACKOFF_MAX_MS, TAKEN_NAME_PATIENCE_MS } from "./limits.ts";
import type { PostReply } from "./meta-posts.ts";
import { MetaRegistrar } from "./meta-registrar.ts";

const JOINED: PostReply = { status: 200, body: { epoch: 1, clusterId: "cluster-1" } };
const BEATEN: PostReply = { status: 200, body: { epoch: 1 } };
const FORGOTTEN: PostReply = { status: 404, body: {} };

function refused(code: string): PostReply {
  const detail = "somebody is there";
  return { status: 409, body: { type: "about:blank", title: "", status: 409, detail, code } };
}

/** A node and a server of which a test says how it answers. */
class Fixture {
  readonly clock = new FakeClock();
  readonly posts: { path: string; body: Record<string, unknown> }[] = [];
  readonly refusals: FsError[] = [];
  readonly joined: string[] = [];
  register = JOINED;
  heartbeat = BEATEN;
  readonly registrar: MetaRegistrar;

  constructor(clusterId?: string) {
    this.registrar = new MetaRegistrar({
      post: async (path, body) => {
        // The registrar's own objects.
        this.posts.push({ path, body: body as Record<string, unknown> });
        return path.endsWith("register") ? this.register : this.heartbeat;
      },
      id: "00000000000a" as NodeId,
      url: "http://a:1",
      nonce: "ab".repeat(8),
      start: 7,
      zone: "",
      weight: 100,
      clusterId,
      stats: async () => ({
        shards: 0,
        usedBytes: 0,
        capacityBytes: 1,
        quarantined: 0,
        parked: 0,
        parkedBytes: 0,
      }),
      onRegistered: async (cluster) => void this.joined.push(cluster),
      onRefused: (error) => this.refusals.push(error),
      clock: this.clock,
      log: silentLog,
    });
  }

  /** Lets time pass, in steps that the registrar can follow. */
  async pass(forMs: number): Promise<void> {
    for (let passedMs = 0; passedMs < forMs; passedMs += HEARTBEAT_INTERVAL_MS / 4) {
      await this.clock.advance(HEARTBEAT_INTERVAL_MS / 4);
      await new Promise(setImmediate);
    }
  }

  /** Who says that it leaves. */
  get leavings(): Record<string, unknown>[] {
    return this.posts.filter(({ path }) => path.endsWith("leaving")).map(({ body }) => body);
  }

  get registrations(): number {
    return this.posts.filter(({ path }) => path.endsWith("register")).length;
  }
}

test("registration and heartbeats say which process it is, and where", async (t) => {
  const node = new Fixture();
  await node.registrar.start();
  await node.pass(HEARTBEAT_INTERVAL_MS);
  t.like(node.posts[0]?.body, { nonce: "ab".repeat(8), url: "http://a:1", start: 7 });
  t.like(node.posts[1]?.body, { nonce: "ab".repeat(8), url: "http://a:1" });
  t.deepEqual(node.joined, ["cluster-1"]);
  await node.registrar.close();
});

test("a name that is taken is waited for: the process before may have just ended", async (t) => {
  const node = new Fixture("cluster-1");
  node.register = refused("EBUSY");
  let started = false;
  const starting = node.registrar.start().then(() => (started = true));
  await node.pass(TAKEN_NAME_PATIENCE_MS - HEARTBEAT_INTERVAL_MS);
  t.false(started);
  node.register = JOINED;
  await node.pass(HEARTBEAT_INTERVAL_MS);
  await starting;
  t.true(node.registrar.registered);
  await node.registrar.close();
});

test("a node as which another process goes on serving doesn't start", async (t) => {
  const node = new Fixture("cluster-1");
  node.register = refused("EBUSY");
  const starting = t.throwsAsync(node.registrar.start(), {
    code: "EBUSY",
    message: /refuses this node: somebody is there/,
  });
  await node.pass(TAKEN_NAME_PATIENCE_MS + HEARTBEAT_INTERVAL_MS);
  await starting;
  t.deepEqual(node.refusals, []);
  await node.registrar.close();
});

test("a node that hears that another process serves as it ends at once", async (t) => {
  const node = new Fixture("cluster-1");
  await node.registrar.start();
  node.heartbeat = refused("EBUSY");
  await node.pass(HEARTBEAT_INTERVAL_MS);
  t.deepEqual(
    node.refusals.map(({ code }) => code),
    ["EBUSY"],
  );
  await node.registrar.close();
});

test("another cluster's server keeps a node from starting, but ends none that runs", async (t) => {
  const late = new Fixture("cluster-1");
  await late.registrar.start();
  late.heartbeat = FORGOTTEN;
  for (const answer of [refused("EEXIST"), { ...JOINED, body: { epoch: 1, clusterId: "b" } }]) {
    late.register = answer;
    const before = late.registrations;
    await late.pass(4 * REGISTER_BACKOFF_MAX_MS);
    t.true(late.registrations > before);
    t.false(late.registrar.registered);
    const early = new Fixture("cluster-1");
    early.register = answer;
    t.true(isFsError(await t.throwsAsync(early.registrar.start()), "EPERM"));
    await early.registrar.close();
  }
  t.deepEqual(late.refusals, []);
  t.deepEqual(late.joined, []);
  late.register = JOINED;
  late.heartbeat = BEATEN;
  await late.pass(2 * REGISTER_BACKOFF_MAX_MS);
  t.true(late.registrar.registered);
  await late.registrar.close();
});

test("a node that ends says so, once, as the process that it is", async (t) => {
  const node = new Fixture();
  await node.registrar.start();
  await node.registrar.close();
  await node.registrar.close();
  t.deepEqual(node.leavings, [{ nonce: "ab".repeat(8), url: "http://a:1" }]);
});

test("a node that was never let in ends without a word", async (t) => {
  const node = new Fixture("cluster-2");
  node.register = refused("EPERM");
  await t.throwsAsync(node.registrar.start(), { code: "EPERM" });
  await node.registrar.close();
  t.deepEqual(node.leavings, []);
});
