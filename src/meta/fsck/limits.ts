// Bounds of meta/fsck, each with the reason for its number.

/** Records whose counts are kept at a time: some 100 MiB, and a pass over the names for each. */
export const MAX_TALLIED_RECORDS = 1_000_000;
/** Directories above one another; more is a loop. */
export const MAX_DIRECTORY_DEPTH = 100_000;
/** Names of a file looked at for one that hangs on the root: others are no shorter. */
export const MAX_NAMES_TRIED = 8;
/** Directories known to hang on the root, remembered at a time: some 100 MiB. */
export const MAX_ROOTED_DIRECTORIES = 1_000_000;
/** Findings of a check told one by one, more are counted: nobody reads as many. */
export const MAX_TOLD = 1000;
/**
 * Repairs of a check that are kept until it ends, some 100 MiB where they are short. What is beyond
 * waits for the next round, which copies the whole metadata anew…
 */
export const MAX_REPAIRS_KEPT = 100_000;
/** …and so does what is beyond as much of their records: attributes may have 64 KiB each. */
export const MAX_REPAIR_BYTES_KEPT = 256 * 1024 * 1024;
/** Rounds that may follow one another with no fewer findings: a repair may show what it hid. */
export const FRUITLESS_ROUNDS = 8;
