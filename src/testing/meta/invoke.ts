// Requests of a session in this process, without what their client is told beside the result.
import type { SessionRequests } from "../../meta/session/session-requests.ts";
import type { MetaArgs, MetaOperation, MetaResult } from "../../protocol/meta/meta-operations.ts";
import { Acknowledged } from "../../protocol/rpc/acknowledged.ts";
import type { Ticket } from "../../protocol/rpc/served-connection.ts";

export async function invoke<O extends MetaOperation>(
  requests: SessionRequests,
  operation: O,
  args: MetaArgs<O>,
  ticket?: Ticket,
): Promise<MetaResult<O>> {
  const answer = await requests.perform(operation, args, ticket);
  // That operation's.
  return (answer instanceof Acknowledged ? answer.value : answer) as MetaResult<O>;
}
