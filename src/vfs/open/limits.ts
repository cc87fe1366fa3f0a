// Bounds of vfs/open, each with the reason for its number.

/** Closed handles are told to the metadata server together, this much later at most. */
export const RELEASE_DELAY_MS = 5;
/** Inodes in one release request. */
export const MAX_RELEASE_BATCH = 1024;
/** Inodes whose losses are kept until somebody asks; the log has them all. */
export const MAX_LOSSES_KEPT = 4096;
/** Inodes opened again, or looked at, at a time after the server lost the session, or more. */
export const MAX_REOPENS_IN_FLIGHT = 16;
/**
 * A rename that replaces a file is asked for so often: once more for each time that somebody else
 * gives the old name to another file that isn't on disk.
 */
export const MAX_RENAME_ATTEMPTS = 8;
