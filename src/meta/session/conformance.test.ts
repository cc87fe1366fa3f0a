// The MetaService suite on all there is: the service in the server's own process, over the socket,
// and with every answer lost once.
import test from "ava";
import { META_OPERATIONS } from "../../protocol/meta/meta-operations.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { faultyMetaService } from "../../testing/meta/meta-faults.ts";
import { META_STEPS, metaOutcomes } from "../../testing/meta/meta-service-conformance.ts";
import { openLocalMeta, TestMetaServer } from "../../testing/meta/meta-server.ts";
import { seededRandom } from "../../testing/seeded-random.ts";

test("the suite asks for every operation of the table", (t) => {
  const asked = new Set(META_STEPS.map(({ operation }) => operation));
  t.deepEqual([...asked].sort(), Object.keys(META_OPERATIONS).sort());
});

test("a session over the socket behaves like the service in the server's process", async (t) => {
  const clock = new FakeClock();
  await using server = await TestMetaServer.start({ clock });
  const local = await openLocalMeta({ clock });
  const remote = await metaOutcomes(t, await server.connect());
  t.deepEqual(remote, await metaOutcomes(t, await local.newSession()));
});

test("requests whose answers are lost are done once and give what they would have", async (t) => {
  const clock = new FakeClock();
  const local = await openLocalMeta({ clock });
  const expected = await metaOutcomes(t, await local.newSession());
  for (let seed = 1; seed <= 5; seed += 1) {
    const { session } = await (await openLocalMeta({ clock })).newSession();
    const faulty = faultyMetaService(session.requests, seededRandom(seed));
    t.deepEqual(await metaOutcomes(t, faulty), expected, `seed ${seed}`);
  }
});
