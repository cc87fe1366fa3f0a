import test from "ava";
import { FrameChannel, pack, recordingVfs, u16, u32 } from "../../testing/fuse/fuse-frames.ts";
import { present } from "../../testing/present.ts";
import { INIT_FLAG, OP } from "./wire.ts";

const EVERYTHING = 0x7fffffff;

function initBody(major: number, minor: number, flags: number): Buffer {
  return pack(u32(major), u32(minor), u32(131072), u32(flags), u32(0), Buffer.alloc(44));
}

function channelFor(writeback = false): FrameChannel {
  return new FrameChannel(recordingVfs({}).vfs, { writeback });
}

const WRITE_THROUGH = [
  INIT_FLAG.ASYNC_READ,
  INIT_FLAG.ATOMIC_O_TRUNC,
  INIT_FLAG.BIG_WRITES,
  INIT_FLAG.DONT_MASK,
  INIT_FLAG.AUTO_INVAL_DATA,
  INIT_FLAG.DO_READDIRPLUS,
  INIT_FLAG.READDIRPLUS_AUTO,
  INIT_FLAG.ASYNC_DIO,
  INIT_FLAG.PARALLEL_DIROPS,
  INIT_FLAG.POSIX_ACL,
  INIT_FLAG.MAX_PAGES,
  INIT_FLAG.CACHE_SYMLINKS,
  INIT_FLAG.HANDLE_KILLPRIV_V2,
].reduce((all, flag) => all | flag, 0);

test("INIT agrees on the smaller minor, on 1 MiB and on the features both sides have", (t) => {
  const channel = channelFor();
  const reply = channel.exchange(OP.INIT, initBody(7, 99, EVERYTHING));
  t.deepEqual(
    present(reply).body,
    pack(
      ...[u32(7), u32(45), u32(2 << 20), u32(WRITE_THROUGH)],
      ...[u16(64), u16(48), u32(1 << 20), u32(1), u16(256), Buffer.alloc(34)],
    ),
  );
  t.is(channel.initialized, 1);
});

test("INIT asks for nothing that the kernel doesn't offer", (t) => {
  const reply = channelFor().exchange(OP.INIT, initBody(7, 31, INIT_FLAG.ASYNC_READ));
  t.is(present(reply).body.readUInt32LE(4), 31);
  t.is(present(reply).body.readUInt32LE(12), INIT_FLAG.ASYNC_READ);
});

test("the write-back cache is asked for only as an option", (t) => {
  const reply = channelFor(true).exchange(OP.INIT, initBody(7, 40, EVERYTHING));
  t.is(present(reply).body.readUInt32LE(12), WRITE_THROUGH | INIT_FLAG.WRITEBACK_CACHE);
});

test("a newer major is answered with ours and the mount is not yet up", (t) => {
  const channel = channelFor();
  t.is(present(channel.exchange(OP.INIT, initBody(8, 0, 0))).body.readUInt32LE(0), 7);
  t.is(channel.initialized, 0);
});

test("a kernel older than 5.4 is refused with EPROTO", (t) => {
  const channel = channelFor();
  t.is(present(channel.exchange(OP.INIT, initBody(7, 30, 0))).error, -71);
  t.is(channel.initialized, 0);
});
