import test, { type ExecutionContext } from "ava";
import { FakeClock } from "../../testing/fake-clock.ts";
import { present } from "../../testing/present.ts";
import { seededRandom } from "../../testing/seeded-random.ts";
import { systemClock } from "../../platform/clock.ts";
import { MemoryEngine } from "../engine/memory-engine.ts";
import type { Engine } from "../engine/engine.ts";
import { MAX_COPY_BACKLOG_BYTES } from "./limits.ts";
import { makeCopy } from "./copy-maker.ts";
import { readCopy } from "./copy-reader.ts";
import { putCopied } from "./load-copy.ts";

const HEAD = { clusterId: "cluster", madeMs: 12_345 };
const EVERYTHING = { start: Buffer.of(0), end: Buffer.alloc(9, 0xff) };

async function contentOf(engine: Engine): Promise<Map<string, string>> {
  return await engine.read((tx) => {
    const pairs = new Map<string, string>();
    for (const { key, value } of tx.range(EVERYTHING)) {
      pairs.set(Buffer.from(key).toString("hex"), Buffer.from(value).toString("hex"));
    }
    return pairs;
  });
}

function keyOf(number: number): Buffer {
  const key = Buffer.alloc(5);
  key.write("i", "latin1");
  key.writeUInt32BE(number, 1);
  return key;
}

async function filled(keys: number): Promise<MemoryEngine> {
  const engine = new MemoryEngine();
  await engine.transact((tx) => {
    for (let number = 0; number < keys; number += 1) tx.put(keyOf(number), Buffer.from("before"));
  });
  return engine;
}

async function* piecesOf(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function copied(engine: Engine): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of makeCopy(engine, HEAD, systemClock)) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function loaded(copy: Uint8Array): Promise<Map<string, string>> {
  const target = new MemoryEngine();
  await readCopy(piecesOf(copy), (changes) => putCopied(target, changes));
  return contentOf(target);
}

test("a copy holds what the store holds, and says of when", async (t) => {
  const engine = await filled(5000);
  const copy = await copied(engine);
  t.deepEqual(await loaded(copy), await contentOf(engine));
  const facts = await readCopy(piecesOf(copy, 7));
  t.like(facts, { ...HEAD, position: engine.position, changes: 5000, sizeBytes: copy.length });
  t.deepEqual(facts.incarnations, engine.incarnations);
});

test("a copy of a store that changes meanwhile is the store as it was at one commit", async (t) => {
  const seed = Number(process.env["DFS_SEED"] ?? Date.now() % 1_000_000);
  t.log(`DFS_SEED=${seed}`);
  const random = seededRandom(seed);
  for (let round = 0; round < 20; round += 1) {
    const engine = await filled(3000);
    const states = new Map<number, Map<string, string>>();
    const pieces: Buffer[] = [];
    let stamp = 0;
    for await (const piece of makeCopy(engine, HEAD, systemClock)) {
      pieces.push(piece);
      for (let change = 0; change < 3; change += 1) {
        stamp += 1;
        // Two keys that belong together, anywhere.
        const [one, other] = [random.below(4000), random.below(4000)];
        const deletes = random.below(4) === 0;
        await engine.transact((tx) => {
          for (const number of [one, other]) {
            if (deletes) tx.delete(keyOf(number));
            else tx.put(keyOf(number), Buffer.from(`after ${stamp}`));
          }
        });
        states.set(engine.position, await contentOf(engine));
      }
    }
    const copy = Buffer.concat(pieces);
    const { position } = await readCopy(piecesOf(copy));
    t.deepEqual(await loaded(copy), present(states.get(position)), `seed ${seed}`);
  }
});

/** The first error that reading it brings; undefined: none. */
async function refusal(copy: Uint8Array): Promise<string | undefined> {
  try {
    await readCopy(piecesOf(copy, 64 * 1024));
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

test("a copy with any bit flipped is refused", async (t) => {
  const copy = await copied(await filled(40));
  for (let at = 0; at < copy.length; at += 1) {
    const flipped = Buffer.from(copy);
    flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << (at % 8)), at);
    const code = await refusal(flipped);
    t.true(code === "EBADMSG" || (code === "EINVAL" && at < 8), `byte ${at}: ${code ?? "taken"}`);
  }
});

test("a copy that was cut short anywhere is refused; zeroes behind it are not", async (t) => {
  const copy = await copied(await filled(40));
  for (let end = 0; end < copy.length; end += 1) {
    const code = await refusal(copy.subarray(0, end));
    t.true(code === "EBADMSG" || (code === "EINVAL" && end === 0), `${end}: ${code ?? "taken"}`);
  }
  t.is(await refusal(Buffer.concat([copy, Buffer.alloc(100)])), undefined);
});

test("a frame that was left out or stands twice is noticed", async (t) => {
  const engine = await filled(5000);
  const pieces: Buffer[] = [];
  for await (const piece of makeCopy(engine, HEAD, systemClock)) pieces.push(piece);
  t.true(pieces.length > 5);
  const without = Buffer.concat(pieces.filter((_, at) => at !== 3));
  t.is(await refusal(without), "EBADMSG");
  const twice = Buffer.concat(pieces.flatMap((piece, at) => (at === 3 ? [piece, piece] : [piece])));
  t.is(await refusal(twice), "EBADMSG");
});

test("other files, and copies of another release, are refused by name", async (t) => {
  const other = readCopy(piecesOf(Buffer.from("PK\x03\x04 some archive")));
  await t.throwsAsync(other, { code: "EINVAL", message: /no copy of dfs metadata/ });
  const copy = await copied(await filled(1));
  copy.writeUInt8(9, 7);
  const newer = readCopy(piecesOf(copy));
  await t.throwsAsync(newer, { code: "EINVAL", message: /version 9.*use the release/ });
});

async function fallBehind(t: ExecutionContext): Promise<void> {
  const engine = await filled(5000);
  const copy = makeCopy(engine, HEAD, new FakeClock());
  const work = (async (): Promise<void> => {
    let pieces = 0;
    for await (const piece of copy) {
      pieces += piece.length > 0 ? 1 : 0;
      if (pieces !== 4) continue;
      const value = Buffer.alloc(1024 * 1024);
      for (let bytes = 0; bytes <= MAX_COPY_BACKLOG_BYTES; bytes += value.length) {
        const number = bytes / value.length;
        await engine.transact((tx) => tx.put(keyOf(number), value));
      }
    }
  })();
  await t.throwsAsync(work, { code: "EAGAIN", message: /try again/ });
}

test(
  "who takes a copy more slowly than the store changes gets none, and holds nothing",
  fallBehind,
);
