// Who a request to a storage node is meant for. A URL says where somebody answers, never who:
// requests and answers name cluster and node, and both ends compare.
import { FsError } from "../../domain/errno.ts";
import type { NodeId } from "../../domain/ids.ts";

export interface NodeName {
  readonly cluster: string;
  readonly node: NodeId;
}

/** On each request: who it is meant for. Anybody else answers MISDIRECTED_STATUS, unread. */
export const FOR_HEADER = "dfs-for";
/** On each answer: who gave it; absent from a node that belongs to no cluster yet. */
export const FROM_HEADER = "dfs-from";
/** RFC 9110, section 15.5.20. */
export const MISDIRECTED_STATUS = 421;

/** As it stands in both headers. */
export function formatNodeName({ cluster, node }: NodeName): string {
  return `${cluster}/${node}`;
}

/**
 * The node's check, before anything is read or done; one without a cluster is meant by nobody.
 * @param meantFor what the request says
 * @throws FsError ECONNREFUSED
 */
export function checkAddressee(meantFor: string | undefined, own: NodeName | undefined): void {
  const self = own && formatNodeName(own);
  if (self !== undefined && meantFor === self) return;
  const text = `this is ${self ?? "a node without a cluster"}, not ${meantFor ?? "anybody's"}`;
  throw new FsError("ECONNREFUSED", text);
}

/**
 * The asker's check, of good answers and of errors: what anybody else says is nothing about the
 * node that was asked.
 * @param from what the answer says
 * @throws FsError ECONNREFUSED
 */
export function checkAnswerer(from: string | undefined, asked: NodeName, url: string): void {
  const name = formatNodeName(asked);
  if (from === name) return;
  const who = from === undefined ? "somebody else" : `node ${from}`;
  throw new FsError("ECONNREFUSED", `${who} answers at ${url}, not node ${name}`);
}
