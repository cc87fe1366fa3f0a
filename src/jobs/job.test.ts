import test from "ava";
import { invariant } from "../domain/invariant.ts";
import { silentLog } from "../observability/log.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { violationOf } from "../testing/violation.ts";
import { JobLoop, type Job } from "./job.ts";
import { present } from "../testing/present.ts";

type Outcome = "done" | "more" | "later";

function scripted(outcomes: (Outcome | Error)[], intervalMs = 60_000): Job & { passes: number } {
  const job = {
    name: "scripted",
    intervalMs,
    passes: 0,
    async pass(): Promise<Outcome> {
      const next = outcomes[job.passes++] ?? "done";
      if (next instanceof Error) throw next;
      return next;
    },
  };
  return job;
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise(setImmediate);
}

test("a job that has more to do passes again at once, then rests for its interval", async (t) => {
  const clock = new FakeClock();
  const job = scripted(["more", "more", "done"]);
  const loop = new JobLoop(job, clock, silentLog);
  loop.start();
  await settle();
  t.is(job.passes, 3);
  await clock.advance(59_999);
  t.is(job.passes, 3);
  await clock.advance(1);
  t.is(job.passes, 4);
  await loop.close();
});

test("a failing job is tried again after a pause that doubles; its status says so", async (t) => {
  const clock = new FakeClock();
  const job = scripted([new Error("node away"), new Error("node away"), "done"]);
  const loop = new JobLoop(job, clock, silentLog);
  loop.start();
  await settle();
  t.is(loop.status().state, "failed");
  t.regex(present(loop.status().lastError), /node away/);
  await clock.advance(1000);
  t.is(job.passes, 2);
  await clock.advance(1000);
  t.is(job.passes, 2);
  await clock.advance(1000);
  t.is(job.passes, 3);
  t.is(loop.status().state, "idle");
  t.is(loop.status().lastError, undefined);
  await loop.close();
});

test("a wake during the rest starts a pass, and one during a pass is not lost", async (t) => {
  const clock = new FakeClock();
  const release: (() => void)[] = [];
  let passes = 0;
  const loop = new JobLoop(
    {
      name: "slow",
      intervalMs: 60_000,
      async pass() {
        passes++;
        await new Promise<void>((resolve) => release.push(resolve));
        return "done";
      },
    },
    clock,
    silentLog,
  );
  loop.start();
  await settle();
  loop.wake();
  present(release.shift())();
  await settle();
  t.is(passes, 2);
  present(release.shift())();
  await settle();
  loop.wake();
  await settle();
  t.is(passes, 3);
  present(release.shift())();
  await loop.close();
});

test("a broken invariant isn't a pass that failed", async (t) => {
  const broken = (): Promise<Outcome> => {
    invariant(t.title === "", "broken");
    return Promise.resolve("done");
  };
  const job = { name: "broken", intervalMs: 60_000, pass: broken };
  const loop = new JobLoop(job, new FakeClock(), silentLog);
  await violationOf(() => loop.start());
  t.is(loop.status().failures, 0);
  t.is(loop.status().state, "running");
});
