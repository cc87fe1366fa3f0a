// What `dfs demo status` tells: each process, and what the cluster thinks of each node.
import { AdminClient } from "../../protocol/admin/admin-client.ts";
import { Credentials } from "../session/credentials.ts";
import { isFuseMountpoint } from "../process/mountpoint.ts";
import type { DemoCluster } from "./demo-cluster.ts";
import type { Member } from "./demo-members.ts";
import { type ProcessState, processState } from "./process-identity.ts";

/** The field names are a promise to scripts (`dfs demo status --json`). */
export interface DemoReport {
  dir: string;
  mount: string | null;
  mountPid: number | null;
  /** stale: mounted, but the serving process is dead. */
  mountState: "mounted" | "paused" | "stale" | "absent";
  meta: { pid: number | null; url: string | null; data: string; state: ProcessState };
  nodes: {
    number: number;
    id: string | null;
    pid: number | null;
    url: string | null;
    data: string;
    state: ProcessState;
    /** State in the cluster map; unknown when the metadata server doesn't answer. */
    clusterState: string;
  }[];
}

export async function reportDemo(cluster: DemoCluster): Promise<DemoReport> {
  const { members, state } = cluster;
  const meta = members.meta();
  const metaState = await processState(meta.process, meta.marker);
  const clusterStates = metaState === "running" ? await nodeStates(cluster) : undefined;
  const mount = members.mount();
  const nodes = await Promise.all(
    state.nodes.map(async (node) => {
      const member = members.node(node);
      const own = await processState(member.process, member.marker);
      return {
        number: node.number,
        id: node.id ?? null,
        pid: pidOf(member, own),
        url: node.url ?? null,
        data: node.data,
        state: own,
        clusterState: clusterStates?.get(node.id ?? "") ?? "unknown",
      };
    }),
  );
  return {
    dir: cluster.paths.directory,
    ...(await reportMount(mount)),
    meta: {
      pid: pidOf(meta, metaState),
      url: state.meta.url ?? null,
      data: meta.marker,
      state: metaState,
    },
    nodes,
  };
}

function pidOf(member: Member, state: ProcessState): number | null {
  return state === "dead" ? null : (member.process?.pid ?? null);
}

async function reportMount(
  mount: Member | undefined,
): Promise<Pick<DemoReport, "mount" | "mountPid" | "mountState">> {
  if (mount === undefined) return { mount: null, mountPid: null, mountState: "absent" };
  const state = await processState(mount.process, mount.marker);
  const isMounted = await isFuseMountpoint(mount.marker);
  const mountState = !isMounted
    ? "absent"
    : state === "dead"
      ? "stale"
      : state === "paused"
        ? "paused"
        : "mounted";
  return { mount: mount.marker, mountPid: pidOf(mount, state), mountState };
}

async function nodeStates(cluster: DemoCluster): Promise<Map<string, string>> {
  const url = cluster.members.metaUrl();
  const { token } = (await Credentials.open(cluster.paths.config)).connection(url);
  try {
    const { nodes } = await new AdminClient(url, token).status();
    return new Map(nodes.map(({ id, state }) => [id, state]));
  } catch {
    // The processes are what is asked for; a server that is just starting is no reason to fail.
    return new Map();
  }
}
