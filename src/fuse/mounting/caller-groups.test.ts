import test from "ava";
import type { Caller } from "../../domain/attributes.ts";
import { MAX_CALLER_GROUPS_AGE_MS, MAX_CALLER_GROUPS } from "./limits.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { CallerGroups, readGroups } from "./caller-groups.ts";

const ann: Caller = { uid: 100, gid: 10, pid: 7 };

function fixture(groups: () => readonly number[]): [CallerGroups, FakeClock, number[]] {
  const clock = new FakeClock();
  const asked: number[] = [];
  const read = (pid: number): Promise<readonly number[]> => {
    asked.push(pid);
    return Promise.resolve(groups());
  };
  return [new CallerGroups(clock, read), clock, asked];
}

test("this process's groups are read from /proc; nobody's are those of no process", async (t) => {
  const own = process.getgroups?.() ?? [];
  const read = await readGroups(process.pid);
  // Node names the effective group as well, which the kernel may not list.
  t.true(read.every((group) => own.includes(group)));
  t.deepEqual(await readGroups(2 ** 30), []);
});

test("groups are remembered for a moment, and only for that thread as that user", async (t) => {
  const [groups, clock] = fixture(() => [20, 30]);
  t.is(groups.remembered(ann), ann);
  t.deepEqual(await groups.lookUp(ann), { ...ann, groups: [20, 30] });
  t.deepEqual(groups.remembered(ann).groups, [20, 30]);
  for (const other of [
    { ...ann, uid: 101 },
    { ...ann, gid: 11 },
    { ...ann, pid: 8 },
  ]) {
    t.is(groups.remembered(other), other);
  }
  await clock.advance(MAX_CALLER_GROUPS_AGE_MS - 1);
  t.deepEqual(groups.remembered(ann).groups, [20, 30]);
  await clock.advance(1);
  t.is(groups.remembered(ann), ann);
});

test("a look finds groups that have changed, and forgets those that are gone", async (t) => {
  let now: number[] = [20];
  const [groups, , asked] = fixture(() => now);
  await groups.lookUp(ann);
  now = [30];
  t.deepEqual((await groups.lookUp(ann)).groups, [30]);
  now = [];
  t.is(await groups.lookUp(ann), ann);
  t.is(groups.remembered(ann), ann);
  t.deepEqual(asked, [7, 7, 7]);
});

test("a caller of no thread has no groups, and nobody is asked", async (t) => {
  const [groups, , asked] = fixture(() => [20]);
  const remote: Caller = { uid: 100, gid: 10 };
  t.is(await groups.lookUp(remote), remote);
  t.is(groups.remembered(remote), remote);
  t.deepEqual(asked, []);
});

test("the callers remembered are bounded: the oldest are forgotten", async (t) => {
  const [groups] = fixture(() => [20]);
  for (let pid = 1; pid <= MAX_CALLER_GROUPS + 1; pid += 1) await groups.lookUp({ ...ann, pid });
  const first = { ...ann, pid: 1 };
  t.is(groups.remembered(first), first);
  t.deepEqual(groups.remembered({ ...ann, pid: 2 }).groups, [20]);
});
