// Bounds of fuse/mounting, each with the reason for its number.

/** A caller's groups are believed so long; no longer than the kernel believes attributes. */
export const MAX_CALLER_GROUPS_AGE_MS = 1000;
/**
 * Callers whose groups are remembered: more than machines run programs that need them at a time.
 */
export const MAX_CALLER_GROUPS = 1024;
