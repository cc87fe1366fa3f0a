// Asks whoever answers at an address which storage node it is: for tools that know addresses alone.
import { request } from "undici";
import { FsError } from "../../domain/errno.ts";
import type { NodeId } from "../../domain/ids.ts";
import { FROM_HEADER, type NodeName } from "./node-name.ts";

const NODE_NAME = /^([^/]+)\/([0-9a-f]{12})$/;

/** @throws FsError ECONNREFUSED nobody answers, or no storage node that has joined a cluster */
export async function askNodeName(url: string, signal: AbortSignal): Promise<NodeName> {
  let from: unknown;
  try {
    const { headers, body } = await request(new URL("/healthz", url), { signal });
    from = headers[FROM_HEADER];
    await body.dump();
  } catch (error) {
    throw new FsError("ECONNREFUSED", `nobody answers at ${url}`, { cause: error });
  }
  const [, cluster, node] = NODE_NAME.exec(typeof from === "string" ? from : "") ?? [];
  if (cluster === undefined || node === undefined) {
    throw new FsError("ECONNREFUSED", `at ${url} is no storage node that has joined a cluster`);
  }
  // As the pattern says.
  return { cluster, node: node as NodeId };
}
