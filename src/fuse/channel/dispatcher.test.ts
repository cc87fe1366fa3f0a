import test from "ava";
import { pino } from "pino";
import { FsError } from "../../domain/errno.ts";
import { invariant } from "../../domain/invariant.ts";
import type { Ino } from "../../domain/ids.ts";
import {
  FrameChannel,
  pack,
  recordingVfs,
  requestFrame,
  text,
  u32,
  u64,
} from "../../testing/fuse/fuse-frames.ts";
import { MemoryVfs } from "../../testing/fuse/fuse-memory-vfs.ts";
import { violationOf } from "../../testing/violation.ts";
import { present } from "../../testing/present.ts";
import { OP } from "./wire.ts";

const LOOKUP_A = pack(text("a"));

function writeBody(data: string): Buffer {
  return pack(
    ...[u64(9), u64(0), u32(data.length), u32(0), u64(0), u32(0), u32(0)],
    Buffer.from(data),
  );
}

/** Promises that are settled by hand, in order of asking. */
class Later<T> {
  readonly #waiting: { resolve: (value: T) => void; reject: (error: Error) => void }[] = [];

  readonly answer = (): Promise<T> =>
    new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));

  async settle(outcome: T | Error): Promise<void> {
    const next = present(this.#waiting.shift());
    if (outcome instanceof Error) next.reject(outcome);
    else next.resolve(outcome);
    await new Promise(setImmediate);
  }
}

test("an opcode nobody knows is answered ENOSYS", (t) => {
  const channel = new FrameChannel(recordingVfs({}).vfs);
  t.is(present(channel.exchange(63, Buffer.alloc(56))).error, -38);
  t.is(present(channel.exchange(4096, Buffer.alloc(8))).error, -38);
  t.is(present(channel.exchange(34, pack(u32(4), u32(0)))).error, -38);
});

test("an FsError becomes its errno, thrown or rejected", async (t) => {
  const denied = new FsError("EACCES", "not yours");
  const thrown = recordingVfs({
    lookup: () => {
      throw denied;
    },
  });
  t.is(present(new FrameChannel(thrown.vfs).exchange(OP.LOOKUP, LOOKUP_A)).error, -13);
  const rejecting = new FrameChannel(recordingVfs({ lookup: () => Promise.reject(denied) }).vfs);
  rejecting.exchange(OP.LOOKUP, LOOKUP_A);
  await rejecting.dispatcher.idle();
  t.is(present(rejecting.port.replies[0]).error, -13);
});

test("an unknown error becomes EIO and is logged once with its stack", (t) => {
  const lines: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => lines.push(line) });
  const { vfs } = recordingVfs({
    lookup: () => {
      throw new TypeError("a bug");
    },
  });
  t.is(present(new FrameChannel(vfs, { log }).exchange(OP.LOOKUP, LOOKUP_A)).error, -5);
  t.is(lines.length, 1);
  t.regex(present(lines[0]), /TypeError: a bug\\n {4}at /);
});

for (const when of ["at once", "later", "in a request without reply"] as const) {
  test(`a broken invariant is no answer and no log line: ${when}`, async (t) => {
    const lines: string[] = [];
    const log = pino({ level: "warn" }, { write: (line: string) => lines.push(line) });
    const broken = (): void => invariant(t.title === "", "broken", { when });
    const { vfs } = recordingVfs({
      readlink: broken,
      lookup: async () => broken(),
      forget: broken,
    });
    const channel = new FrameChannel(vfs, { log });
    const opcode = { "at once": OP.READLINK, later: OP.LOOKUP }[when as string] ?? OP.FORGET;
    const violation = await violationOf(() => channel.exchange(opcode, LOOKUP_A));
    t.deepEqual(violation.details, { when });
    t.deepEqual(channel.port.replies, []);
    t.deepEqual(lines, []);
  });
}

test("an answer that can't be encoded is still a reply: EIO", (t) => {
  const { vfs } = recordingVfs({ lookup: null });
  t.is(present(new FrameChannel(vfs).exchange(OP.LOOKUP, LOOKUP_A)).error, -5);
});

test("requests of one batch are answered in the order in which they are done", async (t) => {
  const later = new Later<string>();
  const { vfs } = recordingVfs({
    readlink: later.answer,
    statfs: { totalBytes: 0, freeBytes: 0, inodes: 0 },
  });
  const channel = new FrameChannel(vfs);
  channel.feed(
    requestFrame(OP.READLINK, Buffer.alloc(0), { unique: 10 }),
    requestFrame(OP.READLINK, Buffer.alloc(0), { unique: 12 }),
    requestFrame(OP.STATFS, Buffer.alloc(0), { unique: 14 }),
  );
  await later.settle("first");
  await later.settle("second");
  t.deepEqual(
    channel.port.replies.map(({ unique }) => unique),
    [14, 10, 12],
  );
});

test("only a write whose data is needed keeps its slot, until its promise settles", async (t) => {
  const later = new Later<number>();
  const recording = recordingVfs({ write: later.answer, readlink: later.answer });
  const channel = new FrameChannel(recording.vfs);
  t.is(channel.feed(requestFrame(OP.READLINK, Buffer.alloc(0))), 0);
  t.is(channel.feed(requestFrame(OP.WRITE, writeBody("kept"))), 1);
  const data = present(recording.calls[1]).args[2] as Uint8Array;
  t.is(data.buffer as ArrayBuffer, channel.port.pool);
  await later.settle(0);
  t.deepEqual(channel.port.released, []);
  await later.settle(4);
  t.is(channel.port.released.length, 1);
});

test("a failed write frees its slot", async (t) => {
  const later = new Later<number>();
  const channel = new FrameChannel(recordingVfs({ write: later.answer }).vfs);
  channel.feed(requestFrame(OP.WRITE, writeBody("lost")));
  await later.settle(new FsError("ENOSPC", "full"));
  t.is(present(channel.port.replies[0]).error, -28);
  t.is(channel.port.released.length, 1);
});

test("when slots run short waiting writes' data is copied, and reading goes on", async (t) => {
  const later = new Later<number>();
  const recording = recordingVfs({ write: later.answer });
  const channel = new FrameChannel(recording.vfs);
  let kept = 0;
  for (let i = 0; i < 100; i++) kept += channel.feed(requestFrame(OP.WRITE, writeBody(`w${i}`)));
  t.is(kept, 48);
  const last = present(recording.calls[99]).args[2] as Uint8Array;
  t.not(last.buffer, channel.port.pool);
  t.is(Buffer.from(last).toString(), "w99");
  for (let i = 0; i < 100; i++) await later.settle(2);
  t.is(channel.port.replies.length, 100);
  t.is(channel.port.released.length, 48);
});

test("what the kernel no longer waits for is given back: lookups, handles, directories", (t) => {
  const attr = new MemoryVfs().getattr({ uid: 0, gid: 0 }, 1 as Ino);
  const recording = recordingVfs({
    lookup: attr,
    create: { fh: 5, attr, keepCache: false },
    open: { fh: 6, attr, keepCache: false },
    opendir: 7,
  });
  const channel = new FrameChannel(recording.vfs);
  const ENOENT = 2;
  channel.port.refusals.push(ENOENT, ENOENT, ENOENT, ENOENT);
  channel.exchange(OP.LOOKUP, LOOKUP_A);
  channel.exchange(OP.CREATE, pack(u32(1), u32(0o100644), u32(0), u32(0), text("a")));
  channel.exchange(OP.OPEN, pack(u32(0), u32(0)));
  channel.exchange(OP.OPENDIR, pack(u32(0), u32(0)));
  const undone = recording.calls.filter(({ method }) => /^(forget|release)/.test(method));
  t.deepEqual(undone, [
    { method: "forget", args: [1, 1] },
    { method: "release", args: [5] },
    { method: "forget", args: [1, 1] },
    { method: "release", args: [6] },
    { method: "releasedir", args: [7] },
  ]);
});

test("a reply that the kernel finds wrong is followed by an EIO: nobody waits for ever", (t) => {
  const channel = new FrameChannel(recordingVfs({ read: [new Uint8Array(10)] }).vfs);
  const EINVAL = 22;
  channel.port.refusals.push(EINVAL);
  const body = pack(u64(9), u64(0), u32(4), u32(0), u64(0), u32(0), u32(0));
  t.is(present(channel.exchange(OP.READ, body)).error, -5);
});

test("an interrupted request of a living caller is answered by its operation alone", async (t) => {
  const later = new Later<string>();
  const channel = new FrameChannel(recordingVfs({ readlink: later.answer }).vfs);
  channel.exchange(OP.READLINK, Buffer.alloc(0), { unique: 20 });
  channel.exchange(OP.INTERRUPT, pack(u64(20)), { unique: 21 });
  await channel.clock.advance(10_000);
  t.deepEqual(channel.port.replies, []);
  await later.settle("target");
  await channel.clock.advance(1000);
  t.deepEqual(
    channel.port.replies.map(({ unique, error }) => [unique, error]),
    [[20, 0]],
  );
});

test("an interrupted request is EINTR if its caller is being killed, now or later", async (t) => {
  const later = new Later<unknown>();
  const recording = recordingVfs({ open: later.answer });
  const dying = new Set<number>();
  const channel = new FrameChannel(recording.vfs, { dying });
  channel.exchange(OP.OPEN, pack(u32(0), u32(0)), { unique: 20, pid: 77 });
  channel.exchange(OP.INTERRUPT, pack(u64(20)), { unique: 21 });
  await channel.clock.advance(1000);
  t.deepEqual(channel.port.replies, []);
  dying.add(77);
  await channel.clock.advance(1000);
  t.deepEqual(channel.port.replies, [{ unique: 20, error: -4, body: Buffer.alloc(0) }]);
  await later.settle({ fh: 3, attr: { mode: 0 }, keepCache: false });
  t.is(channel.port.replies.length, 1);
  t.deepEqual(recording.calls.at(-1), { method: "release", args: [3] });
});

test("INTERRUPT of a request that is answered already does nothing", (t) => {
  const channel = new FrameChannel(recordingVfs({}).vfs);
  t.is(channel.exchange(OP.INTERRUPT, pack(u64(1234)), { unique: 21 }), undefined);
});
