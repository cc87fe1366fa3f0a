// Bounds of fuse/fuse-native, each with the reason for its number.
import { RPC_ANSWER_TIMEOUT_MS } from "../../protocol/meta/limits.ts";

/**
 * Names whose inodes a fuse-native mount remembers, each for as long as the kernel may: some MiB.
 */
export const MAX_REMEMBERED_NAMES = 65_536;
/**
 * A fuse-native operation is answered by then: the metadata server's patience and a little more.
 */
export const FUSE_NATIVE_ANSWER_TIMEOUT_MS = RPC_ANSWER_TIMEOUT_MS + 15_000;
/**
 * fuse-native takes a directory in one piece; a larger one is refused rather than run out of
 * memory.
 */
export const MAX_WHOLE_LISTING_ENTRIES = 1_000_000;
/**
 * An access time so recent that fuse-native can only have it from `touch`: a request's way to us.
 */
export const TOUCH_WINDOW_MS = 250;
/** How often a fuse-native mount looks whether it has ended: it isn't told. */
export const FUSE_NATIVE_END_POLL_MS = 100;
