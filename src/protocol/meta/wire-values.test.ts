import test from "ava";
import fc from "fast-check";
import { Packr } from "msgpackr";
import type { Attr } from "../../domain/attributes.ts";
import { isFsError } from "../../domain/errno.ts";
import type { Ino } from "../../domain/ids.ts";
import { packArgs, readArgs } from "../rpc/procedure.ts";
import { OPERATIONS_BY_NUMBER } from "./meta-calls.ts";
import { META_OPERATIONS, rowOf } from "./meta-operations.ts";
import { attrCodec, callerCodec, nameCodec } from "./wire-values.ts";

const OPERATIONS = OPERATIONS_BY_NUMBER.filter((operation) => operation !== undefined);
const packr = new Packr({ useRecords: false, variableMapSize: true });

function travel(value: unknown): unknown {
  return packr.unpack(packr.pack(value));
}

const count = fc.maxSafeNat();
const nsec = fc.nat(999_999_999);
const attr: fc.Arbitrary<Attr> = fc.record({
  ino: count.map((ino) => ino as Ino),
  mode: fc.nat(0o177777),
  nlink: fc.nat(),
  uid: fc.nat(0xffffffff),
  gid: fc.nat(0xffffffff),
  rdev: fc.nat(0xffffffff),
  sizeBytes: count,
  allocatedBytes: count,
  atimeSec: fc.maxSafeInteger(),
  atimeNsec: nsec,
  mtimeSec: fc.maxSafeInteger(),
  mtimeNsec: nsec,
  ctimeSec: fc.maxSafeInteger(),
  ctimeNsec: nsec,
});

test("attributes arrive as they were sent, whatever the numbers", (t) => {
  fc.assert(
    fc.property(attr, (sent) => {
      t.deepEqual(attrCodec.read(travel(attrCodec.pack(sent))), sent);
    }),
  );
});

test("names of any bytes arrive as they were sent", (t) => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 255 });
  fc.assert(
    fc.property(bytes, (raw) => {
      const name = Buffer.from(raw).toString("latin1").replaceAll("/", "a").replaceAll("\0", "b");
      t.is(String(nameCodec.read(travel(name))), name);
    }),
  );
});

test("a commit with inline bytes and one with stripes arrive as they were sent", (t) => {
  const { args } = rowOf("commit");
  const request = {
    ino: 7,
    extents: [
      { chunk: 0, posInChunk: 5, lengthBytes: 3, slice: 256, pool: 1, inline: Buffer.from("abc") },
      { chunk: 9, posInChunk: 0, lengthBytes: 4_194_304, slice: 257, pool: 1, epoch: 3 },
    ],
    minSizeBytes: 2 ** 40,
    mtime: { sec: -5, nsec: 999_999_999 },
    killPrivileges: true,
    durable: false,
  } as unknown as Parameters<(typeof args)[0]["pack"]>[0];
  t.deepEqual(args[0].read(travel(args[0].pack(request))), request);
});

test("a commit of an extent that is longer than a chunk is refused as it arrives", (t) => {
  const [codec] = rowOf("commit").args;
  const extent = [0, 0, 2 ** 40, 256, 1, 3];
  const sent = [7, [extent], 0, [1, 0], false, false];
  t.throws(() => codec.read(travel(sent)), { code: "EINVAL" });
});

test("whatever arrives as arguments is either refused with an errno or well-formed", (t) => {
  fc.assert(
    fc.property(fc.constantFrom(...OPERATIONS), fc.array(fc.anything()), (operation, raw) => {
      try {
        packArgs(operation, readArgs(operation, raw));
      } catch (error) {
        t.true(isFsError(error), `${operation.name} threw ${String(error)}`);
      }
    }),
  );
});

test("a caller with groups keeps them, and one with nonsense is refused", (t) => {
  const caller = { uid: 1, gid: 2, groups: [3, 4] };
  t.deepEqual(callerCodec.read(travel(callerCodec.pack(caller))), caller);
  for (const masked of [
    { uid: 1, gid: 2, umask: 0o22 },
    { ...caller, umask: 0 },
  ]) {
    t.deepEqual(callerCodec.read(travel(callerCodec.pack(masked))), masked);
  }
  for (const raw of [
    null,
    [1],
    [1, -2],
    [1, 2.5],
    [1, 2, "x"],
    [1, 2, null, "x"],
    { uid: 0, gid: 0 },
  ]) {
    t.throws(() => callerCodec.read(raw), { code: "EPROTO" });
  }
});

test("every operation has a number of its own, and keeps the one it has", (t) => {
  const numbers = OPERATIONS.map(({ number }) => number);
  t.is(new Set(numbers).size, Object.keys(META_OPERATIONS).length);
  // Those of version 5; the next ones come after them.
  t.deepEqual(
    Array.from({ length: 38 }, (_, number) => OPERATIONS_BY_NUMBER[number]?.name),
    [
      ...["lookup", "getattr", "setattr", "create", "mkdir", "mknod", "symlink", "readlink"],
      ...["link", "unlink", "rmdir", "rename", "readdir", undefined, "open", "release"],
      ...["extents", "commit", "allocateSlices", "syncMetadata", "getxattr", "setxattr"],
      ...["listxattr", "removexattr", "statfs", "maps", "reportDamage", "createUnnamed"],
      ...["nextData", "changeRange", "copyRange", "getlk", "setlk", "cancelLock", "abandon"],
      ...["syncFile", "syncSession", "settle"],
    ],
  );
});
