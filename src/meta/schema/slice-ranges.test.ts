import test from "ava";
import type { SessionId, SliceId } from "../../domain/ids.ts";
import { SLICE_RANGE_SIZE } from "../../protocol/meta/limits.ts";
import { MemoryEngine } from "../engine/memory-engine.ts";
import { keyRanges } from "./keys.ts";
import { deleteSession, putSession } from "./session-records.ts";
import {
  endSliceRanges,
  isEnded,
  markSurveyed,
  SliceOwners,
  takeSliceRange,
  unsurveyedRanges,
} from "./slice-ranges.ts";

const RECORD = { user: "u", clientName: "c", beganMs: 0, secretHash: "", ending: false };

/** Sessions 1 and 2, who take ranges in turns. */
async function twoSessions(turns: number): Promise<{ engine: MemoryEngine; firsts: SliceId[] }> {
  const engine = new MemoryEngine();
  const firsts = await engine.transact((tx) => {
    for (const id of [1, 2]) putSession(tx, id as SessionId, RECORD);
    return Array.from(
      { length: turns },
      (_, turn) => takeSliceRange(tx, (1 + (turn % 2)) as SessionId).first,
    );
  });
  return { engine, firsts };
}

async function end(engine: MemoryEngine, id: number): Promise<void> {
  while (!(await engine.transact((tx) => endSliceRanges(tx, id as SessionId, 2))));
  await engine.transact((tx) => deleteSession(tx, id as SessionId));
}

test("an id's owner is the living session that it was issued to", async (t) => {
  const { engine, firsts } = await twoSessions(4);
  await end(engine, 1);
  engine.read((tx) => {
    const owners = new SliceOwners(tx);
    for (const [turn, first] of firsts.entries()) {
      for (const slice of [first, first + SLICE_RANGE_SIZE - 1] as SliceId[]) {
        t.is(owners.ownerOf(slice), turn % 2 === 0 ? undefined : (2 as SessionId));
        t.is(isEnded(tx, slice), turn % 2 === 0);
      }
    }
    t.is(owners.ownerOf(1e9 as SliceId), undefined);
    t.false(isEnded(tx, 1e9 as SliceId), "never issued is not ended");
    t.false(isEnded(tx, 0 as SliceId));
  });
});

test("which ids are over is known for as long as their session lives", async (t) => {
  const { engine, firsts } = await twoSessions(2);
  const over = [0, 7, 8, 255].map((at) => ((firsts[1] ?? 0) + at) as SliceId);
  await engine.transact((tx) => {
    const owners = new SliceOwners(tx);
    for (const slice of over) owners.noteOver(tx, slice);
  });
  engine.read((tx) => {
    const owners = new SliceOwners(tx);
    for (let at = 0; at < SLICE_RANGE_SIZE; at++) {
      const slice = ((firsts[1] ?? 0) + at) as SliceId;
      t.is(owners.isOver(2 as SessionId, slice), over.includes(slice));
    }
  });
});

test("ended ranges that were surveyed become one, others wait", async (t) => {
  const { engine, firsts } = await twoSessions(8);
  await end(engine, 1);
  const noted = engine.read(unsurveyedRanges);
  t.deepEqual(
    noted,
    firsts.filter((_, turn) => turn % 2 === 0),
  );
  await end(engine, 2);
  await engine.transact((tx) => markSurveyed(tx, noted));
  t.deepEqual(
    engine.read(unsurveyedRanges),
    firsts.filter((_, turn) => turn % 2 === 1),
  );
  await engine.transact((tx) => markSurveyed(tx, engine.read(unsurveyedRanges)));
  t.deepEqual(engine.read(unsurveyedRanges), []);
  engine.read((tx) => {
    t.is([...tx.range(keyRanges.endedRanges())].length, 1);
    for (const first of firsts) t.true(isEnded(tx, (first + 200) as SliceId));
    t.false(isEnded(tx, ((firsts.at(-1) ?? 0) + SLICE_RANGE_SIZE) as SliceId));
  });
});
