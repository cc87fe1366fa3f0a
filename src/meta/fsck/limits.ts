// Bounds of meta/fsck, each with the reason for its number.

/** Records whose counts are kept at a time: some 100 MiB, and a pass over the names for each. */
export const MAX_TALLIED_RECORDS = 1_000_000;
/** Directories above one another; more is a loop. */
export const MAX_DIRECTORY_DEPTH = 100_000;
/** Names of a file looked at for one that hangs on the root: others are no shorter. */
export const MAX_NAMES_TRIED = 8;
/** Directories known to hang on the root, remembered at a time: some 100 MiB. */
export const MAX_ROOTED_DIRECTORIES = 1_000_000;
