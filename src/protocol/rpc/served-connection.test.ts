// One connection as its server sees it, with a client that only sends what the test says.
import test from "ava";
import { setImmediate as nextTurn } from "node:timers/promises";
import { silentLog } from "../../observability/log.ts";
import { deferred } from "../../platform/flow/deferred.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { MemorySocket } from "../../testing/meta/memory-sockets.ts";
import {
  CLOSE_GOING_AWAY,
  CLOSE_PROTOCOL_ERROR,
  FrameChannel,
  type Message,
} from "./frame-channel.ts";
import { GOODBYE, HELLO, REDO, REDONE } from "./control-messages.ts";
import { MAX_REDO_BATCH, MAX_REDO_BYTES, MAX_REDO_CHANGES } from "./limits.ts";
import type { Procedure } from "./procedure.ts";
import { packRedo, type Redo, type RedoOutcome } from "./redo.ts";
import { RpcServer } from "./rpc-server.ts";

const CODEC = { pack: (value: unknown) => value, read: (raw: unknown) => raw };
const PROCEDURE: Procedure = {
  name: "change",
  number: 0,
  once: true,
  doneBySessionEnd: false,
  args: [CODEC],
  result: CODEC,
};
const CHANGE: Redo = {
  procedure: PROCEDURE,
  args: [""],
  ticket: { slot: 0, sequence: 1 },
  incarnation: "one",
  position: 1,
  trace: null,
};

/** A server whose sessions redo when they are told to, and a client of it that has greeted. */
class Wire {
  /** What happened, on either side, in order. */
  readonly seen: unknown[] = [];
  readonly #redo = deferred<readonly RedoOutcome[]>();
  readonly rpc: RpcServer<string>;
  readonly #client: FrameChannel;

  private constructor() {
    const session = {
      invoke: () => undefined,
      redo: (changes: readonly Redo[]) => {
        this.seen.push(`redo ${changes.length}`);
        return this.#redo.promise;
      },
      goodbye: async () => void this.seen.push("ended"),
      disconnected: () => undefined,
    };
    const host = {
      procedures: [PROCEDURE],
      authenticate: async () => "tester",
      greet: async () => ({ welcome: [0, "welcome"], session }),
    };
    this.rpc = new RpcServer({ host, clock: new FakeClock(), log: silentLog });
    const [near, far] = MemorySocket.pair();
    this.rpc.serve("tester", far);
    this.#client = new FrameChannel(near, {
      message: ([, word]) => this.seen.push(word),
      closed: (code) => this.seen.push(code),
    });
  }

  static async open(): Promise<Wire> {
    const wire = new Wire();
    await wire.send([0, HELLO]);
    return wire;
  }

  /** Until nothing moves any more. */
  async send(...messages: readonly Message[]): Promise<void> {
    for (const message of messages) this.#client.send(message);
    for (let turns = 0; turns < 10; turns += 1) await nextTurn();
  }

  async redone(): Promise<void> {
    this.#redo.resolve([7]);
    await this.send();
  }
}

test("a server that closes tells first what became of a redo", async (t) => {
  const wire = await Wire.open();
  await wire.send(...packRedo([CHANGE]));
  const closed = wire.rpc.close();
  await wire.send();
  await wire.redone();
  await closed;
  t.deepEqual(wire.seen, ["welcome", "redo 1", REDONE, CLOSE_GOING_AWAY]);
});

test("a session that ends is first done with its redo", async (t) => {
  const wire = await Wire.open();
  await wire.send(...packRedo([CHANGE]), [0, GOODBYE]);
  t.deepEqual(wire.seen, ["welcome", "redo 1"]);
  await wire.redone();
  t.deepEqual(wire.seen, ["welcome", "redo 1", "ended", REDONE, GOODBYE]);
});

test("nobody can make a server collect changes without end", async (t) => {
  const many = await Wire.open();
  const batch = collected(Array.from({ length: MAX_REDO_BATCH }, () => CHANGE));
  await many.send(...Array.from({ length: MAX_REDO_CHANGES / MAX_REDO_BATCH }, () => batch));
  t.deepEqual(many.seen, ["welcome"]);
  await many.send(batch);
  t.deepEqual(many.seen, ["welcome", CLOSE_PROTOCOL_ERROR]);

  const large = await Wire.open();
  const quarter = collected([{ ...CHANGE, args: [Buffer.alloc(MAX_REDO_BYTES / 4)] }]);
  for (let sent = 0; sent < 3; sent += 1) await large.send(quarter);
  t.deepEqual(large.seen, ["welcome"]);
  await large.send(quarter);
  t.deepEqual(large.seen, ["welcome", CLOSE_PROTOCOL_ERROR]);
});

/** One message of changes that is not the last. */
function collected(changes: readonly Redo[]): Message {
  const [[, , , entries] = []] = [...packRedo(changes)];
  return [0, REDO, false, entries];
}
