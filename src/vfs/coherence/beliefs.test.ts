// What is believed, from when until when, told by replies that come late and out of order.
import test from "ava";
import type { Attr } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import type { Ino, PoolId } from "../../domain/ids.ts";
import type { OpenReply } from "../../protocol/meta/meta-service.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { ATTR } from "../../testing/fuse/fuse-operation-cases.ts";
import { present } from "../../testing/present.ts";
import { Beliefs } from "./beliefs.ts";
import { Validity } from "./validity.ts";

const VALID_MS = 1000;

function reply(changes: Partial<Attr> = {}): OpenReply {
  const attr = { ...ATTR, ...changes };
  return { attr, pool: 1 as PoolId, firstChunk: { chunk: 0, extents: [] } };
}

interface Server {
  attr: Attr;
  /** Questions so far. */
  getattrs: number;
  failure: FsError | undefined;
}

/** Beliefs over a server whose attributes a test sets. */
function believing() {
  const clock = new FakeClock();
  const server: Server = { attr: ATTR, getattrs: 0, failure: undefined };
  const meta = {
    getattr: async (): Promise<Attr> => {
      server.getattrs += 1;
      if (server.failure !== undefined) throw server.failure;
      return server.attr;
    },
    extents: async (_ino: Ino, chunks: readonly number[]) =>
      chunks.map((chunk) => ({ chunk, extents: [] })),
  };
  return { clock, server, beliefs: new Beliefs({ meta, clock, attrCacheMs: VALID_MS }) };
}

test("what was asked for is believed from the question on, not from the reply", async (t) => {
  const clock = new FakeClock();
  const validity = new Validity(clock, VALID_MS);
  const askedMs = validity.nowMs;
  await clock.advance(VALID_MS - 1);
  t.true(validity.holds(askedMs));
  await clock.advance(1);
  t.false(validity.holds(askedMs));
  t.is(validity.untilMs(askedMs), askedMs + VALID_MS);
});

test("attributes and extents of an open file end together, when their time is over", async (t) => {
  const { clock, beliefs } = believing();
  const asked = beliefs.askedNow();
  await clock.advance(600);
  const { inode } = beliefs.opened(reply(), asked);
  t.true(inode.fresh);
  t.not(inode.extentsAt(0, clock.monotonicMs()), undefined);
  await clock.advance(400);
  t.false(inode.fresh);
  t.is(inode.extentsAt(0, clock.monotonicMs()), undefined);
  await inode.refresh();
  t.true(inode.fresh);
  t.not(inode.extentsAt(0, clock.monotonicMs()), undefined);
});

test("a reply that was asked for before an own change tells nothing of the file", (t) => {
  const { beliefs } = believing();
  const asked = beliefs.askedNow();
  const { inode } = beliefs.opened(reply(), asked);
  inode.changed({ ...ATTR, sizeBytes: 100 });
  beliefs.seen({ ...ATTR, sizeBytes: 3 }, asked);
  t.is(inode.attr.sizeBytes, 100);
  beliefs.seen({ ...ATTR, sizeBytes: 200 }, beliefs.askedNow());
  t.is(inode.attr.sizeBytes, 200);
});

test("an own change of a name puts link counts in doubt, and nothing else", async (t) => {
  const { server, beliefs } = believing();
  const { inode } = beliefs.opened(reply(), beliefs.askedNow());
  const { version } = inode;
  beliefs.namesChanged();
  t.false(inode.fresh);
  server.attr = { ...ATTR, nlink: 2 };
  await Promise.all([inode.refresh(), inode.refresh()]);
  t.deepEqual([inode.fresh, inode.attr.nlink, server.getattrs], [true, 2, 1]);
  t.is(inode.version, version);
});

test("another's change ends what is believed of the extents", (t) => {
  const { clock, beliefs } = believing();
  const { inode } = beliefs.opened(reply(), beliefs.askedNow());
  const { version } = inode;
  beliefs.seen({ ...ATTR, ctimeNsec: 77 }, beliefs.askedNow());
  t.not(inode.version, version);
  t.is(inode.extentsAt(0, clock.monotonicMs()), undefined);
});

test("a file that is opened again as it was closed is unchanged, and otherwise not", (t) => {
  const { beliefs } = believing();
  const open = (changes: Partial<Attr> = {}) => beliefs.opened(reply(changes), beliefs.askedNow());
  const first = open();
  t.false(first.unchanged);
  beliefs.closed(first.inode, true);
  const second = open();
  t.true(second.unchanged);
  beliefs.closed(second.inode, true);
  const third = open({ sizeBytes: 9 });
  t.false(third.unchanged);
  // Data was lost: nobody knows what the kernel has.
  beliefs.closed(third.inode, false);
  t.false(open({ sizeBytes: 9 }).unchanged);
});

test("an own change may hide another's: the file isn't known at its next open", (t) => {
  const { beliefs } = believing();
  const { inode } = beliefs.opened(reply({ sizeBytes: 5 }), beliefs.askedNow());
  inode.changed({ ...ATTR, sizeBytes: 6 });
  beliefs.closed(inode, true);
  t.false(beliefs.opened(reply({ sizeBytes: 6 }), beliefs.askedNow()).unchanged);
});

test("a lock finds the file unchanged only if nobody changed it since the lock before", (t) => {
  const { beliefs } = believing();
  const { inode } = beliefs.opened(reply(), beliefs.askedNow());
  t.true(inode.lockGranted(ATTR, beliefs.askedNow()));
  inode.changed({ ...ATTR, sizeBytes: 6 });
  t.false(inode.lockGranted({ ...ATTR, sizeBytes: 6 }, beliefs.askedNow()));
  t.true(inode.lockGranted({ ...ATTR, sizeBytes: 6 }, beliefs.askedNow()));
  t.false(inode.lockGranted({ ...ATTR, sizeBytes: 7 }, beliefs.askedNow()));
});

test("a removed directory is shown as the latest question found it", async (t) => {
  const { clock, beliefs } = believing();
  const before = beliefs.askedNow();
  await clock.advance(1);
  beliefs.directories.opened({ ...ATTR, mode: 0o40700 }, beliefs.askedNow());
  beliefs.seen({ ...ATTR, mode: 0o40755 }, before);
  const shown = beliefs.directories.removed(ATTR.ino);
  t.deepEqual([present(shown).mode, present(shown).nlink], [0o40700, 0]);
});

test("a question that fails leaves the belief as it was, the next one asks again", async (t) => {
  const { clock, server, beliefs } = believing();
  const { inode } = beliefs.opened(reply(), beliefs.askedNow());
  await clock.advance(VALID_MS);
  server.failure = new FsError("ETIMEDOUT", "injected");
  await t.throwsAsync(inode.refresh(), { code: "ETIMEDOUT" });
  t.false(inode.fresh);
  server.failure = undefined;
  await inode.refresh();
  t.true(inode.fresh);
  t.is(server.getattrs, 2);
});
