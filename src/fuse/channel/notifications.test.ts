import test from "ava";
import type { Ino, Name } from "../../domain/ids.ts";
import { pack, text, u32, u64 } from "../../testing/fuse/fuse-frames.ts";
import { encodeInvalidateEntry, encodeInvalidateInode } from "./notifications.ts";

test("invalidations are framed as the kernel wants: unique 0, a code for the error", (t) => {
  t.deepEqual(
    encodeInvalidateInode(0x1_0000_0003 as Ino),
    pack(u32(40), u32(2), u64(0), u64(0x1_0000_0003), u64(0), u64(0)),
  );
  t.deepEqual(
    encodeInvalidateEntry(7 as Ino, "n\xff" as Name),
    pack(u32(35), u32(3), u64(0), u64(7), u32(2), u32(0), text("n\xff")),
  );
});
