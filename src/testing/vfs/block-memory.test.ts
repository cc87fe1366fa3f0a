// The in-memory block store keeps what it promises to the tests that lean on it.
import test from "ava";
import { testBlockStore } from "../stripes/block-store-conformance.ts";
import { MemoryBlockStore } from "./block-memory.ts";

testBlockStore(test, "memory", async () => new MemoryBlockStore());
