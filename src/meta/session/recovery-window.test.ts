import test from "ava";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Principal } from "../../auth/accounts.ts";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { ROOT_INO, type SessionId } from "../../domain/ids.ts";
import { toName } from "../../domain/name.ts";
import { silentLog } from "../../observability/log.ts";
import { deferred } from "../../platform/flow/deferred.ts";
import { packHello } from "../../protocol/meta/hello.ts";
import { operationNamed } from "../../protocol/meta/meta-calls.ts";
import { changeTraceCodec } from "../../protocol/meta/wire-trace.ts";
import type { Redo, RedoOutcome } from "../../protocol/rpc/redo.ts";
import { EngineMachine } from "../../testing/engine/engine-machine.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { openLocalMeta, type LocalMeta } from "../../testing/meta/meta-server.ts";
import { MAX_REDO_BYTES_HELD } from "./limits.ts";
import { MetaRpcHost } from "./meta-rpc-host.ts";
import { RecoveryWindow } from "./recovery-window.ts";

const CHANGE: Redo = {
  procedure: operationNamed("mkdir"),
  args: [ROOT_CALLER, ROOT_INO, toName("dir"), 0o755],
  ticket: { slot: 0, sequence: 1 },
  incarnation: "one",
  position: 1,
  trace: changeTraceCodec.pack({ firstId: 2, time: { sec: 1, nsec: 0 }, met: [] }),
};
const ONE = 1 as SessionId;
const TWO = 2 as SessionId;

function windowFor(...awaited: SessionId[]): RecoveryWindow {
  const incarnations = [{ id: "one", beganAt: 0 }];
  const window = new RecoveryWindow({
    clock: new FakeClock(),
    log: silentLog,
    incarnations,
    awaited,
  });
  window.start();
  return window;
}

/** Whether it has resolved by now. */
async function hasEnded(promise: Promise<unknown>): Promise<boolean> {
  let ended = false;
  void promise.then(() => (ended = true));
  for (let turns = 0; turns < 5; turns += 1) await nextTurn();
  return ended;
}

test("who comes again, as its connection broke, has its changes held once", async (t) => {
  const window = windowFor(ONE, TWO);
  const done: string[] = [];
  const come = (session: SessionId, name: string, sizeBytes: number): Promise<unknown> =>
    window.contribute(session, [CHANGE], sizeBytes, async () => done.push(name));
  const first = come(ONE, "first", MAX_REDO_BYTES_HELD);
  const second = come(ONE, "second", MAX_REDO_BYTES_HELD);
  t.deepEqual(await first, []);
  t.false(await hasEnded(second), "the other is still waited for");
  await come(TWO, "other", 0);
  t.deepEqual(done, ["second", "other"]);
});

test("a window that is stopped leaves what has come for the next start", async (t) => {
  const window = windowFor(ONE, TWO);
  let done = 0;
  const redo = async (): Promise<RedoOutcome> => (done += 1);
  const outcomes = window.contribute(ONE, [CHANGE], 0, redo);
  await window.stop();
  t.is(await outcomes, undefined);
  t.is(await window.contribute(TWO, [CHANGE], 0, redo), undefined);
  t.is(done, 0);
});

test("a server that stops does nothing that waited for what clients still know", async (t) => {
  const machine = new EngineMachine();
  const { engine, cluster, sessions } = await openLocalMeta({
    engine: await machine.open(),
    clock: machine.clock,
  });
  await sessions.begin("u", "away");
  await sessions.close();
  const again = await openLocalMeta({ engine, clock: machine.clock, mayHaveForgotten: true });
  again.sessions.start();
  const principal: Principal = { user: "u", role: "admin", client: "c", tokenHash: "" };
  const host = new MetaRpcHost({ authenticate: async () => principal }, cluster, again.sessions);
  const ends: string[] = [];
  const peer = { push: () => undefined, end: (_: number, why: string) => void ends.push(why) };
  const { session } = await host.greet(principal, packHello({ clientName: "c" }), peer);
  const asked = Promise.resolve(session.invoke(CHANGE.procedure, CHANGE.args, undefined));
  const { position } = engine;
  await again.sessions.recovery.stop();
  t.false(await hasEnded(asked));
  t.deepEqual(ends, ["the server stops"]);
  t.is(engine.position, position);
  await engine.close();
});

test("sessions close when what came late was done again", async (t) => {
  const { sessions } = await openLocalMeta();
  const work = deferred<RedoOutcome>();
  const outcomes = sessions.recovery.contribute(ONE, [CHANGE], 0, () => work.promise);
  const closed = sessions.close();
  t.false(await hasEnded(closed));
  work.resolve(7);
  t.deepEqual(await outcomes, [7]);
  await closed;
});

test("a window that a stop has cut short is opened again by the next start", async (t) => {
  const machine = new EngineMachine();
  const start = async (mayHaveForgotten: boolean): Promise<LocalMeta> => {
    const engine = await machine.open();
    return await openLocalMeta({ engine, clock: machine.clock, mayHaveForgotten });
  };
  const stop = async ({ sessions, engine }: LocalMeta): Promise<void> => {
    await sessions.close();
    await engine.flush();
    await engine.close();
  };
  const first = await start(false);
  const { session } = await first.sessions.begin("u", "c");
  await stop(first);
  const cut = await start(true);
  cut.sessions.start();
  t.not(cut.sessions.recovery.over, undefined);
  await stop(cut);
  const again = await start(false);
  again.sessions.start();
  t.not(again.sessions.recovery.over, undefined, "the client was not heard of");
  await again.sessions.recovery.contribute(session.id, [], 0, async () => 1);
  await stop(again);
  const last = await start(false);
  t.is(last.sessions.recovery.over, undefined);
  await stop(last);
});

test("nothing is called lost because the store closes", async (t) => {
  const machine = new EngineMachine();
  const { engine, cluster, sessions } = await openLocalMeta({
    engine: await machine.open(),
    clock: machine.clock,
  });
  const principal: Principal = { user: "u", role: "admin", client: "c", tokenHash: "" };
  const host = new MetaRpcHost({ authenticate: async () => principal }, cluster, sessions);
  const peer = { push: () => undefined, end: () => undefined };
  const { session } = await host.greet(principal, packHello({ clientName: "c" }), peer);
  const closed = engine.close();
  await t.throwsAsync(session.redo([CHANGE], 0), { code: "EIO" });
  await closed;
});
