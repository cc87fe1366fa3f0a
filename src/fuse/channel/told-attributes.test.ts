// Close-to-open at the kernel's edge: what it is told before it may believe in older attributes.
import test from "ava";
import type { Attr } from "../../domain/attributes.ts";
import {
  FrameChannel,
  pack,
  recordingVfs,
  text,
  u32,
  u64,
} from "../../testing/fuse/fuse-frames.ts";
import { ATTR } from "../../testing/fuse/fuse-operation-cases.ts";
import { O_APPEND, O_TRUNC, O_WRONLY } from "../../vfs/vfs.ts";
import { present } from "../../testing/present.ts";
import { NOTIFY_INVAL_INODE, OP } from "./wire.ts";

const ESTALE = -116;
const CHANGED: Attr = { ...ATTR, sizeBytes: 7, ctimeNsec: 3 };

/** A channel that looked a file up, and that file, which may change meanwhile. */
function lookedUp() {
  const file = { attr: ATTR };
  const recording = recordingVfs({
    lookup: () => file.attr,
    open: () => ({ fh: 9, attr: file.attr, keepCache: true }),
    write: 10,
  });
  const channel = new FrameChannel(recording.vfs);
  const lookUp = (): unknown => channel.exchange(OP.LOOKUP, pack(text("f")));
  const open = (flags = 0, pid = 4242): (readonly [unique: number, error: number])[] => {
    const before = channel.port.replies.length;
    channel.exchange(OP.OPEN, pack(u32(flags), u32(0)), { pid });
    return channel.port.replies.slice(before).map(({ unique, error }) => [unique, error]);
  };
  lookUp();
  return { file, recording, channel, lookUp, open };
}

const OPENED = [2, 0] as const;
const INVALIDATED = [0, NOTIFY_INVAL_INODE] as const;

test("an open of what changed since the kernel was told has it forget, before the answer", (t) => {
  const { file, channel, open } = lookedUp();
  t.deepEqual(open(), [OPENED]);
  file.attr = CHANGED;
  t.deepEqual(open(), [INVALIDATED, OPENED]);
  const body = present(channel.port.replies.at(-2)).body;
  t.deepEqual(body, pack(u64(ATTR.ino), u64(-1), u64(0)), "attributes only: no page is waited for");
  t.deepEqual(open(), [OPENED], "the kernel believes nothing any more");
});

test("what the kernel has forgotten by itself needs no notice", async (t) => {
  const { file, channel, open } = lookedUp();
  file.attr = CHANGED;
  await channel.clock.advance(10_000);
  t.deepEqual(open(), [OPENED]);
});

test("an open to append is sent back to look up the file's new end, once", (t) => {
  const { file, recording, lookUp, open } = lookedUp();
  t.deepEqual(open(O_WRONLY | O_APPEND), [OPENED]);
  file.attr = CHANGED;
  t.deepEqual(open(O_WRONLY | O_APPEND), [[2, ESTALE]]);
  t.is(present(recording.calls.at(-1)).method, "release");
  lookUp();
  t.deepEqual(open(O_WRONLY | O_APPEND), [OPENED]);
  file.attr = { ...CHANGED, sizeBytes: 8 };
  t.deepEqual(open(O_WRONLY | O_APPEND), [[2, ESTALE]]);
  t.deepEqual(open(O_WRONLY | O_APPEND), [INVALIDATED, OPENED], "never twice in a row");
});

test("each program that opens to append is sent back, not only the first", (t) => {
  const { file, lookUp, open } = lookedUp();
  const flags = O_WRONLY | O_APPEND;
  file.attr = CHANGED;
  t.deepEqual(open(flags, 7), [[2, ESTALE]]);
  t.deepEqual(open(flags, 8), [[2, ESTALE]], "it would append where the kernel believes the end");
  lookUp();
  t.deepEqual(open(flags, 7), [OPENED]);
  t.deepEqual(open(flags, 8), [OPENED]);
});

test("a file that the kernel itself made longer, or empty, can be appended to at once", (t) => {
  const { file, channel, open } = lookedUp();
  file.attr = { ...ATTR, sizeBytes: ATTR.sizeBytes + 10 };
  t.is(present(open(O_WRONLY | O_APPEND | O_TRUNC).at(-1))[1], 0);
  const { attr } = file;
  const other = lookedUp();
  const write = pack(
    ...[u64(9), u64(ATTR.sizeBytes), u32(10), u32(0), u64(0), u32(0), u32(0)],
    Buffer.alloc(10),
  );
  other.channel.exchange(OP.WRITE, write, { nodeid: ATTR.ino });
  other.file.attr = attr;
  t.is(present(other.open(O_WRONLY | O_APPEND).at(-1))[1], 0);
  t.truthy(channel);
});

test("an open of a file that lost its last name is sent back once: it may have another", (t) => {
  const { file, open } = lookedUp();
  file.attr = { ...ATTR, nlink: 0 };
  t.deepEqual(open(), [[2, ESTALE]]);
  t.deepEqual(open(), [OPENED], "opened by /proc/self/fd, it has no name to look up");
});
