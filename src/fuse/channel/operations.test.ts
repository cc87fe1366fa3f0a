// Every opcode as bytes in and bytes out, by the structs of linux/fuse.h; no kernel.
import test from "ava";
import { FsError } from "../../domain/errno.ts";
import {
  FrameChannel,
  pack,
  recordingVfs,
  text,
  u32,
  u64,
} from "../../testing/fuse/fuse-frames.ts";
import { ATTR, OPERATION_CASES } from "../../testing/fuse/fuse-operation-cases.ts";
import { present } from "../../testing/present.ts";
import { OP } from "./wire.ts";

const NO_INIT = /INIT|FORGET|INTERRUPT|READDIR|IOCTL/;

test("the cases cover every opcode of the table that has a reply", (t) => {
  const covered = new Set(Object.values(OPERATION_CASES).map(({ opcode }) => opcode));
  for (const [name, opcode] of Object.entries(OP)) {
    if (!NO_INIT.test(name)) t.true(covered.has(opcode), name);
  }
});

for (const [name, { opcode, body, answers, calls, reply }] of Object.entries(OPERATION_CASES)) {
  test(`${name}: the Vfs gets what the frame says, the reply is as the header defines`, (t) => {
    const recording = recordingVfs(answers);
    const channel = new FrameChannel(recording.vfs);
    const got = channel.exchange(opcode, body, { unique: 2 ** 40 + 6 });
    t.deepEqual(recording.calls, calls);
    t.is(present(got).unique, 2 ** 40 + 6);
    t.is(present(got).error, 0);
    t.deepEqual(present(got).body, reply);
  });

  test(`${name}: a promise is answered with the same bytes when it settles`, async (t) => {
    const synchronous = opcode === OP.RELEASEDIR;
    const later: Record<string, unknown> = {};
    for (const { method } of calls) {
      later[method] = synchronous ? answers[method] : Promise.resolve(answers[method]);
    }
    const recording = recordingVfs(later);
    const channel = new FrameChannel(recording.vfs);
    channel.exchange(opcode, body);
    await channel.dispatcher.idle();
    await new Promise(setImmediate);
    t.is(channel.port.replies.length, 1);
    t.is(present(channel.port.replies[0]).error, 0);
    t.deepEqual(present(channel.port.replies[0]).body, reply);
  });

  test(`${name}: a frame cut short is an EIO, never a crash or silence`, (t) => {
    if (body.length === 0) {
      t.pass();
      return;
    }
    const recording = recordingVfs(answers);
    const channel = new FrameChannel(recording.vfs);
    const got = channel.exchange(opcode, body.subarray(0, 1));
    t.is(present(got).error, -5);
    t.deepEqual(recording.calls, []);
  });
}

test("FORGET and BATCH_FORGET give lookups back and have no reply", (t) => {
  const recording = recordingVfs({});
  const channel = new FrameChannel(recording.vfs);
  channel.exchange(OP.FORGET, pack(u64(3)), { nodeid: 44 });
  channel.exchange(OP.BATCH_FORGET, pack(u32(2), u32(0), u64(5), u64(1), u64(6), u64(2)));
  t.deepEqual(recording.calls, [
    { method: "forget", args: [44, 3] },
    { method: "forget", args: [5, 1] },
    { method: "forget", args: [6, 2] },
  ]);
  t.deepEqual(channel.port.replies, []);
});

test("a value that doesn't fit the caller's buffer is ERANGE", (t) => {
  const vfs = recordingVfs({ getxattr: new Uint8Array(4), listxattr: ["user.a"] }).vfs;
  const channel = new FrameChannel(vfs);
  t.is(present(channel.exchange(OP.GETXATTR, pack(u32(3), u32(0), text("user.a")))).error, -34);
  t.is(present(channel.exchange(OP.LISTXATTR, pack(u32(6), u32(0)))).error, -34);
});

test("attributes in the system namespace that are no ACLs are refused", (t) => {
  const recording = recordingVfs({});
  const channel = new FrameChannel(recording.vfs);
  const name = text("system.nfs4_acl");
  t.is(present(channel.exchange(OP.SETXATTR, pack(u32(1), u32(0), name, Buffer.of(2)))).error, -95);
  t.is(present(channel.exchange(OP.GETXATTR, pack(u32(0), u32(0), name))).error, -95);
  t.is(present(channel.exchange(OP.REMOVEXATTR, pack(name))).error, -95);
  t.deepEqual(recording.calls, []);
});

test("file capabilities are none and can't be set: no write asks the Vfs for them", (t) => {
  const recording = recordingVfs({});
  const channel = new FrameChannel(recording.vfs);
  const name = text("security.capability");
  t.is(present(channel.exchange(OP.GETXATTR, pack(u32(20), u32(0), name))).error, -61);
  t.is(present(channel.exchange(OP.SETXATTR, pack(u32(1), u32(0), name, Buffer.of(2)))).error, -95);
  t.deepEqual(recording.calls, []);
});

test("a name over 255 bytes is ENAMETOOLONG", (t) => {
  const channel = new FrameChannel(recordingVfs({}).vfs);
  t.is(present(channel.exchange(OP.LOOKUP, pack(text("x".repeat(256))))).error, -36);
});

test("a name without its NUL is EIO even where the slot has older bytes behind it", (t) => {
  const recording = recordingVfs({ lookup: ATTR });
  const channel = new FrameChannel(recording.vfs);
  channel.exchange(OP.LOOKUP, pack(text("longer")));
  t.is(present(channel.exchange(OP.LOOKUP, Buffer.from("long"))).error, -5);
});

test("an ioctl is ENOTTY, which the kernel doesn't remember as it would ENOSYS", (t) => {
  const recording = recordingVfs({});
  const channel = new FrameChannel(recording.vfs);
  const body = pack(u64(9), u32(0), u32(0x80086601), u64(0), u32(0), u32(8));
  t.is(present(channel.exchange(OP.IOCTL, body)).error, -25);
  t.deepEqual(recording.calls, []);
});

test("with the write-back cache the kernel takes all for data, because only it knows", (t) => {
  const recording = recordingVfs({ seek: 0 });
  const channel = new FrameChannel(recording.vfs, { writeback: true });
  t.is(present(channel.exchange(OP.LSEEK, pack(u64(9), u64(0), u32(3), u32(0)))).error, -38);
  t.deepEqual(recording.calls, []);
});

test("an inode that is gone is ESTALE, so that its name is looked up anew", async (t) => {
  const gone = (): never => {
    throw new FsError("ENOENT", "no such inode");
  };
  const { vfs } = recordingVfs({ open: gone, getattr: () => Promise.resolve().then(gone) });
  const channel = new FrameChannel(vfs);
  t.is(present(channel.exchange(OP.OPEN, pack(u32(0), u32(0)))).error, -116);
  channel.exchange(OP.GETATTR, pack(u32(0), u32(0), u64(0)));
  await channel.dispatcher.idle();
  t.is(present(channel.port.replies.at(-1)).error, -116);
});
