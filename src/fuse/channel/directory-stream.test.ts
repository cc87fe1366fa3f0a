import test from "ava";
import fc from "fast-check";
import { ROOT_INO, type Name } from "../../domain/ids.ts";
import type { DirEntry } from "../../protocol/meta/meta-service.ts";
import type { Vfs } from "../../vfs/vfs.ts";
import { FrameChannel, pack, recordingVfs, u32, u64 } from "../../testing/fuse/fuse-frames.ts";
import { MemoryVfs } from "../../testing/fuse/fuse-memory-vfs.ts";
import { present } from "../../testing/present.ts";
import { OP } from "./wire.ts";

const ROOT = { uid: 0, gid: 0 };

function directoryOf(names: readonly string[], pageEntries: number): MemoryVfs {
  const vfs = new MemoryVfs({ pageEntries });
  for (const name of names) vfs.forget(vfs.mknod(ROOT, ROOT_INO, name as Name, 0o100644, 0).ino, 1);
  return vfs;
}

interface Listed {
  readonly name: string;
  readonly nodeid: number;
  readonly cookie: number;
}

/** struct fuse_dirent or fuse_direntplus, one after the other. */
function parse(body: Buffer, plus: boolean): Listed[] {
  const listed: Listed[] = [];
  for (let at = 0; at < body.length;) {
    const nodeid = plus ? Number(body.readBigUInt64LE(at)) : 0;
    const dirent = at + (plus ? 128 : 0);
    const length = body.readUInt32LE(dirent + 16);
    const name = body.toString("latin1", dirent + 24, dirent + 24 + length);
    listed.push({ name, nodeid, cookie: Number(body.readBigUInt64LE(dirent + 8)) });
    at = dirent + Math.ceil((24 + length) / 8) * 8;
  }
  return listed;
}

function readBody(fh: number, cursor: number, sizeBytes: number): Buffer {
  return pack(u64(fh), u64(cursor), u32(sizeBytes), u32(0), u64(0), u32(0), u32(0));
}

async function request(channel: FrameChannel, opcode: number, body: Buffer): Promise<Buffer> {
  const before = channel.port.replies.length;
  channel.exchange(opcode, body);
  await channel.dispatcher.idle();
  const reply = present(channel.port.replies[before]);
  if (reply.error !== 0) throw new Error(`error ${reply.error}`);
  return reply.body;
}

async function open(channel: FrameChannel): Promise<number> {
  return Number((await request(channel, OP.OPENDIR, pack(u32(0), u32(0)))).readBigUInt64LE(0));
}

async function listAll(
  channel: FrameChannel,
  fh: number,
  sizes: readonly number[],
  plus: (turn: number) => boolean,
): Promise<Listed[]> {
  const all: Listed[] = [];
  for (let turn = 0; ; turn++) {
    const size = present(sizes[turn % sizes.length]);
    const opcode = plus(turn) ? OP.READDIRPLUS : OP.READDIR;
    const body = await request(channel, opcode, readBody(fh, all.at(-1)?.cookie ?? 0, size));
    if (body.length > size) throw new Error("reply larger than the buffer");
    if (body.length === 0) return all;
    all.push(...parse(body, plus(turn)));
  }
}

function asynchronous(vfs: MemoryVfs): Vfs {
  return new Proxy<Vfs>(vfs, {
    get(_target, property) {
      const method = Reflect.get(vfs, property) as (...args: unknown[]) => unknown;
      const call = (...args: unknown[]): unknown => Reflect.apply(method, vfs, args);
      return property === "readdir" ? async (...args: unknown[]) => call(...args) : call;
    },
  });
}

test("a directory is listed whole and once, whatever the sizes of pages and buffers", async (t) => {
  const name = fc.string({ minLength: 1, maxLength: 60, unit: fc.constantFrom("a", "b", "\xe4") });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(name, { maxLength: 60 }),
      fc.integer({ min: 3, max: 40 }),
      fc.array(fc.integer({ min: 256, max: 4096 }), { minLength: 1, maxLength: 4 }),
      fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      async (names, pageEntries, sizes, plus, later) => {
        const vfs = directoryOf(names, pageEntries);
        const channel = new FrameChannel(later ? asynchronous(vfs) : vfs);
        const fh = await open(channel);
        const listed = await listAll(
          channel,
          fh,
          sizes,
          (turn) => plus[turn % plus.length] === true,
        );
        t.deepEqual(listed.map((entry) => entry.name).sort(), [".", "..", ...names].sort());
        const counted = listed.filter(({ nodeid }) => nodeid !== 0).length;
        await request(channel, OP.RELEASEDIR, pack(u64(fh), u32(0), u32(0), u64(0)));
        // What the kernel holds is what it was told of with a node id, not what was fetched.
        t.is(vfs.outstandingLookups, counted);
        t.is(vfs.openHandles, 0);
      },
    ),
    { numRuns: 150 },
  );
});

test("a buffer is filled from as many pages as it takes", async (t) => {
  const names = Array.from({ length: 50 }, (_, i) => `file-${i}`);
  const channel = new FrameChannel(directoryOf(names, 4));
  const fh = await open(channel);
  const body = await request(channel, OP.READDIR, readBody(fh, 0, 4096));
  t.is(parse(body, false).length, 52);
});

test("seekdir and rewinddir go to the cookie and give back what was read ahead", async (t) => {
  const names = Array.from({ length: 30 }, (_, i) => `file-${i}`);
  const vfs = directoryOf(names, 100);
  const channel = new FrameChannel(vfs);
  const fh = await open(channel);
  const first = parse(await request(channel, OP.READDIRPLUS, readBody(fh, 0, 2000)), true);
  const again = parse(await request(channel, OP.READDIRPLUS, readBody(fh, 0, 2000)), true);
  t.deepEqual(again, first);
  const cookie = present(first[4]).cookie;
  const after = parse(await request(channel, OP.READDIR, readBody(fh, cookie, 100_000)), false);
  t.is(present(after[0]).name, present(first[5]).name);
  t.is(after.length, 27);
  t.is(vfs.outstandingLookups, (first.length - 2) * 2);
});

test("a page that can't be fetched doesn't lose the entries before it", async (t) => {
  const entries: DirEntry[] = [{ name: "a" as Name, ino: ROOT_INO, mode: 0o100644, cookie: 3 }];
  const pages: (() => DirEntry[])[] = [
    () => entries,
    () => {
      throw new Error("lost the server");
    },
  ];
  const { vfs } = recordingVfs({ opendir: 1, readdir: () => pages.shift()?.() ?? [] });
  const channel = new FrameChannel(vfs);
  const fh = await open(channel);
  t.is(parse(await request(channel, OP.READDIR, readBody(fh, 0, 4096)), false).length, 1);
});

test("a directory that isn't open is EBADF", (t) => {
  const channel = new FrameChannel(recordingVfs({}).vfs);
  t.is(present(channel.exchange(OP.READDIR, readBody(99, 0, 4096))).error, -9);
});
