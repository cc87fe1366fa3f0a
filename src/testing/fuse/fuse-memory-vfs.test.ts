// The in-memory file system keeps what it promises to the tests that lean on it.
import test from "ava";
import { testVfs } from "../vfs/vfs-conformance.ts";
import { MemoryVfs } from "./fuse-memory-vfs.ts";

testVfs(test, "memory", async () => new MemoryVfs({ pageEntries: 4 }));
