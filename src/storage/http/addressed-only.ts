// The door in front of a node's routes: only what is meant for this node of this cluster gets in,
// and every answer names who gave it.
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { FsError } from "../../domain/errno.ts";
import { passViolation } from "../../domain/invariant.ts";
import {
  checkAddressee,
  FOR_HEADER,
  formatNodeName,
  FROM_HEADER,
  MISDIRECTED_STATUS,
  type NodeName,
} from "../../protocol/shard/node-name.ts";
import { PROBLEM_TYPE, shardProblem } from "../../protocol/shard/shard-problem.ts";
import { WIRE_HEADER, WIRE_VERSION } from "../../protocol/shard/shard-wire.ts";

/** Asked by whoever watches processes, and knows no cluster. */
const ANYBODYS = new Set(["/healthz", "/readyz"]);

/**
 * `app` behind the door. Nothing of a request that is refused is read or done.
 * @param nameOf the node; undefined before it has joined a cluster, when nothing gets in
 */
export function addressedOnly(
  app: RequestListener,
  nameOf: () => NodeName | undefined,
): RequestListener {
  return (request, response) => {
    const name = nameOf();
    response.setHeader(WIRE_HEADER, WIRE_VERSION);
    if (name !== undefined) response.setHeader(FROM_HEADER, formatNodeName(name));
    try {
      if (!ANYBODYS.has(request.url ?? "")) check(request, name);
    } catch (error) {
      passViolation(error);
      // What `check` throws.
      refuse(response, error as FsError);
      // What is left of the body is thrown away, so that the sender gets to read the answer.
      request.resume();
      return;
    }
    app(request, response);
  };
}

function check({ headers }: IncomingMessage, name: NodeName | undefined): void {
  if ((headers[WIRE_HEADER] ?? WIRE_VERSION) !== WIRE_VERSION) {
    throw new FsError("EPROTO", `this node speaks wire version ${WIRE_VERSION}`);
  }
  const meantFor = headers[FOR_HEADER];
  checkAddressee(typeof meantFor === "string" ? meantFor : undefined, name);
}

function refuse(response: ServerResponse, error: FsError): void {
  const misdirected = { title: "Misdirected request", status: MISDIRECTED_STATUS };
  const isMisdirected = error.code === "ECONNREFUSED";
  const problem = { ...shardProblem(error), ...(isMisdirected ? misdirected : {}) };
  const body = JSON.stringify(problem);
  const headers = { "content-length": Buffer.byteLength(body), "content-type": PROBLEM_TYPE };
  response.writeHead(problem.status, headers).end(body);
}
