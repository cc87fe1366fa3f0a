// Readers that stop reading, over sockets that take nothing and virtual time.
import { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import test, { type ExecutionContext } from "ava";
import { CELL_BYTES, MAX_SHARD_BYTES } from "../../domain/format.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { openTempStore } from "../../testing/shard/shard-node.ts";
import { payloadOf, putShard, shardId } from "../../testing/shard/shard-service-conformance.ts";
import { MAX_READ_BUFFERS } from "../disk/limits.ts";
import type { ShardStore } from "../shards/shard-store.ts";
import { MAX_STALLED_READERS, READER_PATIENCE_MS, READER_TIMEOUT_MS } from "./limits.ts";
import { ShardSender } from "./shard-sender.ts";

const ID = shardId(1);

/** An answer whose connection takes all that comes, or nothing. */
class Answer {
  readonly response: ServerResponse;
  tookBytes = 0;
  readonly #socket: Socket;

  constructor(reads: boolean) {
    const stream = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        if (!reads) return;
        this.tookBytes += chunk.length;
        done();
      },
    });
    // All that an answer asks of its socket a stream has.
    this.#socket = stream as unknown as Socket;
    this.response = new ServerResponse(new IncomingMessage(this.#socket));
  }

  /** The answers before it on its connection are sent. */
  connect(): this {
    this.response.assignSocket(this.#socket);
    return this;
  }
}

interface World {
  readonly store: ShardStore;
  readonly sender: ShardSender;
  readonly clock: FakeClock;
}

async function makeWorld(t: ExecutionContext): Promise<World> {
  const { store, close } = await openTempStore();
  t.teardown(close);
  await putShard(store, ID, payloadOf(MAX_SHARD_BYTES));
  const clock = new FakeClock();
  return { store, sender: new ShardSender(clock), clock };
}

function send({ store, sender }: World, { response }: Answer): Promise<void> {
  return sender.send(response, store.read(ID, 0, MAX_SHARD_BYTES));
}

/** Sends to a reader who takes nothing; resolves when it is waited for. */
async function sendInVain(world: World): Promise<ServerResponse> {
  const answer = new Answer(false).connect();
  void send(world, answer);
  while (!answer.response.headersSent) await new Promise(setImmediate);
  return answer.response;
}

test("as many readers as there are buffers stop reading, and another one reads", async (t) => {
  const world = await makeWorld(t);
  for (let at = 0; at < MAX_READ_BUFFERS; at++) await sendInVain(world);
  const reader = new Answer(true).connect();
  const sent = send(world, reader);
  await world.clock.advance(READER_PATIENCE_MS);
  await sent;
  t.true(reader.tookBytes > MAX_SHARD_BYTES);
});

test("a reader who takes nothing for 10 s is cut", async (t) => {
  const world = await makeWorld(t);
  const response = await sendInVain(world);
  await world.clock.advance(READER_TIMEOUT_MS - 1);
  t.false(response.destroyed);
  await world.clock.advance(1);
  t.true(response.destroyed);
});

test("beyond a bound the one who has stopped longest is cut for the next", async (t) => {
  const world = await makeWorld(t);
  const responses: ServerResponse[] = [];
  for (let at = 0; at <= MAX_STALLED_READERS; at++) {
    responses.push(await sendInVain(world));
    await world.clock.advance(READER_PATIENCE_MS);
  }
  t.deepEqual(
    responses.map(({ destroyed }) => destroyed),
    responses.map((_, at) => at === 0),
  );
});

test("readers of small shards, who hold no buffer, are not among those", async (t) => {
  const world = await makeWorld(t);
  await putShard(world.store, shardId(2), payloadOf(64));
  const small = Array.from({ length: MAX_STALLED_READERS }, () => new Answer(false).connect());
  for (const { response } of small) {
    void world.sender.send(response, world.store.read(shardId(2), 0, 64));
  }
  await world.clock.advance(READER_PATIENCE_MS);
  const large = await sendInVain(world);
  await world.clock.advance(READER_PATIENCE_MS);
  t.false([...small.map(({ response }) => response), large].some(({ destroyed }) => destroyed));
  await world.clock.advance(READER_TIMEOUT_MS - 2 * READER_PATIENCE_MS);
  t.true(small.every(({ response }) => response.destroyed));
});

test("answers that wait for others on their connection take no buffer", async (t) => {
  const world = await makeWorld(t);
  const waiting = Array.from({ length: MAX_READ_BUFFERS }, () => new Answer(true));
  const sent = waiting.map((answer) => send(world, answer));
  const reader = new Answer(true).connect();
  await send(world, reader);
  t.true(reader.tookBytes > MAX_SHARD_BYTES);
  for (const answer of waiting) answer.connect();
  await Promise.all(sent);
  t.true(waiting.every(({ tookBytes }) => tookBytes > MAX_SHARD_BYTES));
});

test("a reader who reads is waited for by no timer, whatever the shard's size", async (t) => {
  const world = await makeWorld(t);
  await putShard(world.store, shardId(2), payloadOf(64));
  let timers = 0;
  const sender = new ShardSender({
    after: () => {
      timers++;
      return () => undefined;
    },
  });
  for (const [id, sizeBytes] of [
    [shardId(2), 64],
    [ID, CELL_BYTES],
  ] as const) {
    const reader = new Answer(true).connect();
    await sender.send(reader.response, world.store.read(id, 0, sizeBytes));
    t.true(reader.tookBytes > sizeBytes);
  }
  t.is(timers, 0);
});
