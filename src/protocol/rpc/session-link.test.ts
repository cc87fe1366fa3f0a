// The link between a client and a server over sockets that are none: what is handed in is all the
// network there is.
import test from "ava";
import type { Ino, SessionId } from "../../domain/ids.ts";
import { silentLog } from "../../observability/log.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { LONE_MAPS } from "../../testing/meta/lone-map.ts";
import { MemorySocket } from "../../testing/meta/memory-sockets.ts";
import { packWelcome, readHello } from "../meta/hello.ts";
import { OPERATIONS_BY_NUMBER } from "../meta/meta-calls.ts";
import { packPush } from "../meta/meta-pushes.ts";
import { connectMetaSession } from "../meta/meta-session-client.ts";
import { present } from "../../testing/present.ts";
import type { Dial } from "./message-socket.ts";
import { RpcServer } from "./rpc-server.ts";
import type { RpcHost, RpcPeer } from "./served-connection.ts";

/** A host that answers with the first argument, and resumes whatever session it is asked for. */
class EchoHost implements RpcHost<string> {
  readonly procedures = OPERATIONS_BY_NUMBER;
  readonly peers: RpcPeer[] = [];
  clusterId = "00";

  async authenticate(authorization: string | undefined): Promise<string | undefined> {
    return authorization === "let me in" ? "tester" : undefined;
  }

  async greet(_user: string, hello: Parameters<RpcHost<string>["greet"]>[1], peer: RpcPeer) {
    const { resume } = readHello(hello);
    this.peers.push(peer);
    // Before the welcome has left.
    peer.push(packPush("lockReady", this.peers.length));
    const key = resume ?? { session: 1 as SessionId, secret: new Uint8Array(16) };
    const history = { incarnations: [{ id: "one", beganAt: 0 }], durablePosition: 0 };
    const known = { clusterId: this.clusterId, maps: LONE_MAPS, history };
    const welcome = packWelcome({ key, resumed: resume !== undefined, ...known });
    const invoke = (_procedure: unknown, [first]: readonly unknown[]): unknown => ({
      from: first,
      to: 0,
      sizeBytes: 0,
    });
    const session = {
      invoke,
      redo: async () => [],
      goodbye: async () => undefined,
      disconnected: () => undefined,
    };
    return { welcome, session };
  }
}

function network(token: string): { host: EchoHost; dial: Dial; sockets: MemorySocket[] } {
  const host = new EchoHost();
  const server = new RpcServer({ host, clock: new FakeClock(), log: silentLog });
  const sockets: MemorySocket[] = [];
  const dial: Dial = async () => {
    const user = await server.admit(token);
    const [near, far] = MemorySocket.pair();
    sockets.push(near);
    server.serve(user, far);
    return near;
  };
  return { host, dial, sockets };
}

const options = {
  url: "memory:",
  token: "",
  clock: new FakeClock(),
  clientName: "test",
  log: silentLog,
};

test("a session works over any sockets, and goes on over the next when one broke", async (t) => {
  const { dial, sockets } = network("let me in");
  await using session = await connectMetaSession({ ...options, dial });
  t.is((await session.nextData(7 as Ino, 0)).from, 7);
  let resumed = 0;
  session.on("resumed", () => (resumed += 1));
  present(sockets[0]).terminate();
  t.is((await session.nextData(8 as Ino, 0)).from, 8);
  t.is(resumed, 1);
  t.is(sockets.length, 2);
});

test("what is pushed before the welcome has left comes after it, in order", async (t) => {
  const { host, dial, sockets } = network("let me in");
  await using session = await connectMetaSession({ ...options, dial });
  const waits: number[] = [];
  session.on("lockReady", (wait) => waits.push(wait));
  present(sockets[0]).terminate();
  await session.nextData(1 as Ino, 0);
  present(host.peers[1]).push(packPush("lockReady", 99));
  await session.nextData(1 as Ino, 0);
  t.deepEqual(waits, [2, 99]);
});

test("whoever is not admitted gets EACCES, whatever the network is", async (t) => {
  const { dial } = network("nobody");
  await t.throwsAsync(connectMetaSession({ ...options, dial }), { code: "EACCES" });
});

test("a session ends when another cluster's server answers in the place of its own", async (t) => {
  const { host, dial, sockets } = network("let me in");
  await using session = await connectMetaSession({ ...options, dial });
  t.is(session.clusterId, "00");
  host.clusterId = "01";
  let resumed = 0;
  session.on("resumed", () => (resumed += 1));
  present(sockets[0]).terminate();
  const refusal = { code: "EPROTO", message: /is cluster 01's now.* is cluster 00's/ };
  await t.throwsAsync(session.nextData(7 as Ino, 0), refusal);
  host.clusterId = "00";
  await t.throwsAsync(session.nextData(7 as Ino, 0), refusal);
  t.is(resumed, 0);
});
