import test from "ava";
import type { ClusterStatus } from "../../protocol/admin/admin-api.ts";
import { present } from "../../testing/present.ts";
import { formatStatus } from "./status.ts";

const NODE: ClusterStatus["nodes"][number] = {
  id: "0123456789ab",
  url: "http://127.0.0.1:7401",
  zone: "",
  state: "up",
  weight: 100,
  usedBytes: 3 * 1024 ** 3,
  capacityBytes: 100 * 1024 ** 3,
  lastSeenMsAgo: 400,
  shards: 7,
  quarantined: 0,
  parked: 0,
  parkedBytes: 0,
  deadSlices: 0,
};

const HEALTHY: ClusterStatus = {
  clusterId: "c",
  epoch: 3,
  health: "ok",
  problems: [],
  survivesLosses: 2,
  pools: [],
  nodes: [NODE],
  groups: { total: 1024, clean: 1024, dirty: 0 },
  concerns: { damageReports: 0, doubtedGroups: 0, unreadableBlocks: 0, unexplainedBlocks: 0 },
  files: 5,
  usedBytes: 2 * 1024 ** 3,
  totalBytes: 66 * 1024 ** 3,
  freeBytes: 64 * 1024 ** 3,
  sessions: [],
  users: 1,
  jobs: [],
};

test("the first line tells health and how many losses the data survives", (t) => {
  const [first] = formatStatus(HEALTHY, "http://meta").split("\n");
  t.is(first, "healthy: the data survives the loss of 2 more nodes");
  const last = formatStatus({ ...HEALTHY, health: "critical", survivesLosses: 0 }, "u");
  t.regex(last, /^critical: the data survives no further loss/);
});

test("each problem comes with what to do", (t) => {
  const problems = [{ what: "node 1 is down", todo: "start it" }];
  const text = formatStatus({ ...HEALTHY, health: "degraded", problems }, "u");
  t.regex(text, /problem: node 1 is down\n {2}what to do: start it/);
});

test("a node's line has state, zone, used, capacity, last seen and address", (t) => {
  const nodes = [NODE, { ...NODE, zone: "rack-2", state: "down" as const, lastSeenMsAgo: 90_000 }];
  const lines = formatStatus({ ...HEALTHY, nodes }, "u").split("\n");
  t.regex(present(lines.at(-2)), /0123456789ab +up +- +3\.00 GiB +100 GiB +now +http/);
  t.regex(present(lines.at(-1)), /0123456789ab +down +rack-2 +3\.00 GiB +100 GiB +90 s +http/);
});

test("each background job has a line: state, what waits, last run, and why it failed", (t) => {
  const jobs: ClusterStatus["jobs"] = [
    {
      name: "gc",
      state: "idle",
      passes: 9,
      failures: 0,
      waiting: 4,
      done: 7,
      lastRunMsAgo: 90_000,
    },
    { name: "packing", state: "failed", passes: 2, failures: 1, lastError: "EIO: nodes away" },
  ];
  const text = formatStatus({ ...HEALTHY, jobs }, "u");
  t.regex(text, /\ngc +idle +4 dead slices +7 slices deleted +90 s *\n/);
  t.regex(text, /\npacking +failed +- +- +never *\n {2}packing failed 1 times: EIO: nodes away/);
});

test("what waits is said: unclean groups, deleted slices of a node that is away, trash", (t) => {
  const away = { ...NODE, state: "down" as const, deadSlices: 12 };
  const groups = { total: 1024, clean: 1000, dirty: 24 };
  const keeps = { ...NODE, parked: 5, parkedBytes: 3 * 1024 ** 2 };
  const concerns = { ...HEALTHY.concerns, unexplainedBlocks: 3 };
  const text = formatStatus({ ...HEALTHY, nodes: [away, keeps], groups, concerns }, "u");
  t.regex(text, /24 of 1024 groups are not clean/);
  t.regex(text, /12 deleted slices wait for node 0123456789ab, which is down/);
  t.regex(text, /node 0123456789ab has 5 shards in its trash, 3\.00 MiB\n/);
  t.regex(text, /3 blocks belong to nothing that is known; they stay/);
});
