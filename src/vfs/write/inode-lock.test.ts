import test from "ava";
import { InodeLock } from "./inode-lock.ts";

function turns(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("exclusive holders wait for sharers, keep later ones out, in order of arrival", async (t) => {
  const lock = new InodeLock();
  const order: string[] = [];
  const enter = (name: string) => async (): Promise<void> => {
    order.push(`${name} in`);
    await turns();
    order.push(`${name} out`);
  };
  t.true(lock.open);
  await Promise.all([
    lock.shared(enter("a")),
    lock.shared(enter("b")),
    lock.exclusive(enter("X")),
    lock.shared(enter("c")),
  ]);
  t.deepEqual(order, ["a in", "b in", "a out", "b out", "X in", "X out", "c in", "c out"]);
  t.true(lock.open);
});

test("a body that fails lets go of the lock", async (t) => {
  const lock = new InodeLock();
  await t.throwsAsync(lock.exclusive(() => Promise.reject(new Error("x"))));
  t.true(lock.open);
});
