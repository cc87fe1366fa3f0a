// The cases of locks, as those in fuse-operation-cases.ts.
import { F_RDLCK, F_WRLCK, LK_FLOCK, OP } from "../../fuse/channel/wire.ts";
import { pack, u32, u64 } from "./fuse-frames.ts";

export const LOCK_OWNER = "fedcba980a0b0c0d";

/** struct fuse_lk_in of handle 9, LOCK_OWNER and process 55; `last` is the last byte locked. */
export function lockBody(start: bigint, last: bigint, type: number, flags: number): Buffer {
  const range = Buffer.alloc(16);
  range.writeBigUInt64LE(start, 0);
  range.writeBigUInt64LE(last, 8);
  return pack(
    ...[u64(9), u32(0x0a0b0c0d), u32(0xfedcba98), range],
    ...[u32(type), u32(55), u32(flags), u32(0)],
  );
}

export const LOCK_CASES = {
  "GETLK of a lock that stands in the way": {
    opcode: OP.GETLK,
    body: lockBody(16n, 2n ** 63n - 1n, F_WRLCK, 0),
    answers: { getlk: { type: "read", start: 4096n, end: 2n ** 62n, pid: 77 } },
    calls: [
      {
        method: "getlk",
        args: [
          9,
          { space: "fcntl", owner: LOCK_OWNER, start: 16n, end: 2n ** 63n, pid: 55, type: "write" },
        ],
      },
    ],
    reply: pack(u64(4096), u32(0xffffffff), u32(0x3fffffff), u32(F_RDLCK), u32(77)),
  },
  "SETLK of a range": {
    opcode: OP.SETLK,
    body: lockBody(2n ** 62n, 2n ** 62n + 9n, F_RDLCK, 0),
    answers: { setlk: { stale: false } },
    calls: [
      {
        method: "setlk",
        args: [
          9,
          {
            ...{ space: "fcntl", owner: LOCK_OWNER, pid: 55, type: "read" },
            ...{ start: 2n ** 62n, end: 2n ** 62n + 10n },
          },
          undefined,
        ],
      },
    ],
    reply: Buffer.alloc(0),
  },
  "SETLKW of a flock": {
    opcode: OP.SETLKW,
    body: lockBody(0n, 2n ** 63n - 1n, F_WRLCK, LK_FLOCK),
    answers: { setlk: { stale: false } },
    calls: [
      {
        method: "setlk",
        args: [
          9,
          { space: "flock", owner: LOCK_OWNER, pid: 55, type: "write", start: 0n, end: 2n ** 63n },
          new AbortController().signal,
        ],
      },
    ],
    reply: Buffer.alloc(0),
  },
};
