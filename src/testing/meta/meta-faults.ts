// A MetaService whose every first answer is lost and every request late: each is carried out and
// asked again, as a client's link does after a connection that broke.
import { setImmediate as nextTurn } from "node:timers/promises";
import { isFsError } from "../../domain/errno.ts";
import type { SessionRequests } from "../../meta/session/session-requests.ts";
import { makeMetaService } from "../../protocol/meta/meta-calls.ts";
import type { MetaArgs } from "../../protocol/meta/meta-operations.ts";
import type { MetaService } from "../../protocol/meta/meta-service.ts";
import type { Ticket } from "../../protocol/rpc/served-connection.ts";
import type { SeededRandom } from "../seeded-random.ts";
import { invoke } from "./invoke.ts";

/** Turns of the event loop that a request or an answer is late. */
const MAX_TURNS = 3;

export function faultyMetaService(requests: SessionRequests, random: SeededRandom): MetaService {
  let sequence = 0;
  const delay = async (): Promise<void> => {
    for (let turns = random.below(MAX_TURNS + 1); turns > 0; turns -= 1) await nextTurn();
  };
  return makeMetaService(async ({ name, once }, args) => {
    const ticket: Ticket | undefined = once
      ? { slot: 0, sequence: ++sequence, resent: false }
      : undefined;
    // Each method is called with the arguments that its type asks for.
    const attempt = async (resent: boolean): Promise<unknown> => {
      await delay();
      const sent = ticket === undefined ? undefined : { ...ticket, resent };
      return await invoke(requests, name, args as MetaArgs<typeof name>, sent);
    };
    try {
      await attempt(false);
    } catch (error) {
      if (!isFsError(error)) throw error;
    }
    return await attempt(true);
  });
}
