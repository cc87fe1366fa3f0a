// Bounds of fuse/mounting, each with the reason for its number.

/** A caller's groups are believed so long; no longer than the kernel believes attributes. */
export const MAX_CALLER_GROUPS_AGE_MS = 1000;
/**
 * Callers whose groups are remembered: more than machines run programs that need them at a time.
 */
export const MAX_CALLER_GROUPS = 1024;
/**
 * The kernel's read-ahead window of a mount: two requests ahead. Cold sequential reads with 2 ms to
 * answer in: 71 MB/s with the kernel's 128 KiB, 507 with 1 MiB, 889 with 2, 918 with 4; answered at
 * once, 4 MiB is slower than 2 by cache misses.
 */
export const READ_AHEAD_BYTES = 2 * 1024 * 1024;
