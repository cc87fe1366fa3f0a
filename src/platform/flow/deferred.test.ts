import test from "ava";
import { deferred } from "./deferred.ts";

test("a deferred promise takes the first outcome that it is given", async (t) => {
  const { promise, resolve, reject } = deferred<number>();
  resolve(7);
  reject(new Error("too late"));
  t.is(await promise, 7);
});

test("a rejection is there for whoever asks for it later", async (t) => {
  const { promise, reject } = deferred();
  reject(new Error("failed"));
  await new Promise(setImmediate);
  await t.throwsAsync(promise, { message: "failed" });
});
