import test from "ava";
import { ERRNO, FsError } from "../../domain/errno.ts";
import {
  FrameChannel,
  pack,
  recordingVfs,
  requestFrame,
  u32,
  u64,
} from "../../testing/fuse/fuse-frames.ts";
import { lockBody } from "../../testing/fuse/fuse-lock-cases.ts";
import { ATTR } from "../../testing/fuse/fuse-operation-cases.ts";
import type { FileLockRequest } from "../../vfs/vfs.ts";
import { present } from "../../testing/present.ts";
import {
  FOPEN_KEEP_CACHE,
  FOPEN_NOFLUSH,
  F_RDLCK,
  F_UNLCK,
  F_WRLCK,
  INIT_FLAG,
  NOTIFY_INVAL_INODE,
  OP,
} from "./wire.ts";

const BODY = lockBody(0n, 9n, F_WRLCK, 0);

/** Waits until it is told to give up. */
function waitForSignal(_fh: number, _request: unknown, signal?: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener("abort", () => reject(new FsError("EINTR", "interrupted")));
  });
}

test("INIT asks for locks only where the Vfs has them", (t) => {
  const flags = (answers: Record<string, unknown>): number => {
    const body = pack(u32(7), u32(40), u32(131072), u32(0x7fffffff), u32(0), Buffer.alloc(44));
    const reply = new FrameChannel(recordingVfs(answers).vfs).exchange(OP.INIT, body);
    return present(reply).body.readUInt32LE(12);
  };
  const locks = INIT_FLAG.POSIX_LOCKS | INIT_FLAG.FLOCK_LOCKS;
  t.is(flags({}) & locks, 0);
  t.is(flags({ setlk: { stale: false } }) & locks, locks);
});

test("where locks are offered a file opened for reading tells of its closes", (t) => {
  const opened = { fh: 9, attr: ATTR, keepCache: true };
  const openFlags = (answers: Record<string, unknown>): number => {
    const channel = new FrameChannel(recordingVfs({ open: opened, ...answers }).vfs);
    return present(channel.exchange(OP.OPEN, pack(u32(0), u32(0)))).body.readUInt32LE(8);
  };
  t.is(openFlags({}), FOPEN_KEEP_CACHE | FOPEN_NOFLUSH);
  t.is(openFlags({ setlk: { stale: false } }), FOPEN_KEEP_CACHE);
});

test("a range nobody has locked is answered as unlocked", (t) => {
  const { vfs } = recordingVfs({ getlk: () => undefined });
  const reply = new FrameChannel(vfs).exchange(OP.GETLK, BODY);
  t.deepEqual(present(reply).body, pack(u64(0), u64(0), u32(F_UNLCK), u32(0)));
});

test("any signal ends a wait for a lock, and only that wait", async (t) => {
  const { vfs } = recordingVfs({ setlk: waitForSignal });
  const channel = new FrameChannel(vfs);
  channel.exchange(OP.SETLKW, BODY, { unique: 10 });
  channel.exchange(OP.SETLKW, BODY, { unique: 12 });
  channel.exchange(OP.INTERRUPT, pack(u64(10)), { unique: 11 });
  await new Promise(setImmediate);
  t.deepEqual(
    channel.port.replies.map(({ unique, error }) => [unique, error]),
    [[10, -ERRNO.EINTR]],
  );
});

test("requests that wait for locks keep no slot, however many they are", (t) => {
  const { vfs } = recordingVfs({ setlk: waitForSignal });
  const channel = new FrameChannel(vfs);
  let kept = 0;
  for (let unique = 2; unique < 1000; unique += 2) {
    kept += channel.feed(requestFrame(OP.SETLKW, BODY, { unique }));
  }
  t.is(kept, 0);
});

test("when the connection ends nobody waits for locks any more", async (t) => {
  const { vfs } = recordingVfs({ setlk: waitForSignal });
  const channel = new FrameChannel(vfs);
  channel.exchange(OP.SETLKW, BODY);
  channel.dispatcher.interruptAll();
  await t.notThrowsAsync(channel.dispatcher.idle());
});

test("where others changed the file, the kernel drops its pages before it has the lock", (t) => {
  const { vfs } = recordingVfs({ setlk: { stale: true } });
  const channel = new FrameChannel(vfs);
  channel.exchange(OP.SETLK, BODY, { unique: 8, nodeid: 77 });
  const [invalidation, reply] = channel.port.notified;
  t.is(present(invalidation).readInt32LE(4), NOTIFY_INVAL_INODE);
  t.is(present(invalidation).readBigUInt64LE(16), 77n);
  t.is(present(reply).readBigUInt64LE(8), 8n);
  t.is(present(reply).readInt32LE(4), 0);
  t.is(channel.port.replies.length, 1);
});

test("pages that another caller's lock has found stale are dropped before the next lock", (t) => {
  const stale = [true, false, false];
  const { vfs } = recordingVfs({ setlk: () => ({ stale: stale.shift() }) });
  const channel = new FrameChannel(vfs);
  for (const unique of [2, 4]) channel.exchange(OP.SETLK, BODY, { unique });
  t.is(channel.port.notified.length, 3, "an invalidation and both replies, in one queue");
  stale.unshift(true);
  const accept = channel.port.notify.bind(channel.port);
  channel.port.notify = () => false;
  t.is(present(channel.exchange(OP.SETLK, BODY, { unique: 6 })).error, -ERRNO.EAGAIN);
  channel.port.notify = accept;
  channel.exchange(OP.SETLK, BODY, { unique: 8 });
  t.deepEqual(
    channel.port.notified.slice(3).map((message) => message.readBigUInt64LE(8)),
    [0n, 8n],
    "what the kernel didn't take then, it takes now",
  );
});

test("a lock granted to a caller that is gone is given back", async (t) => {
  let grant: (result: { stale: boolean }) => void = () => undefined;
  const types: string[] = [];
  const setlk = (_fh: number, { type }: FileLockRequest): unknown => {
    types.push(type);
    return type === "unlock"
      ? { stale: false }
      : new Promise((resolve) => {
          grant = resolve;
        });
  };
  const channel = new FrameChannel(recordingVfs({ setlk }).vfs, { dying: new Set([4242]) });
  channel.exchange(OP.SETLKW, BODY, { unique: 10 });
  channel.exchange(OP.INTERRUPT, pack(u64(10)), { unique: 11 });
  await new Promise(setImmediate);
  t.is(present(channel.port.replies[0]).error, -ERRNO.EINTR);
  grant({ stale: false });
  await channel.dispatcher.idle();
  t.deepEqual(types, ["write", "unlock"]);
  t.is(channel.port.replies.length, 1);
});

test("a lock of an unknown type, or of no bytes, is refused", (t) => {
  const { vfs } = recordingVfs({ setlk: { stale: false } });
  const channel = new FrameChannel(vfs);
  for (const body of [lockBody(0n, 9n, 7, 0), lockBody(9n, 0n, F_RDLCK, 0)]) {
    t.is(present(channel.exchange(OP.SETLK, body)).error, -ERRNO.EINVAL);
  }
});
