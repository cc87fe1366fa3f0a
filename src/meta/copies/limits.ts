// Bounds of meta/copies, each with the reason for its number.

/** Keys and bytes of a page of a copy, read in one turn: about a millisecond. */
export const MAX_COPY_PAGE_KEYS = 1024;
export const MAX_COPY_PAGE_BYTES = 256 * 1024;
/**
 * Changes that wait to be written into a copy: a taker that is slower than the changes come, for
 * so long, gets no copy.
 */
export const MAX_COPY_BACKLOG_BYTES = 64 * 1024 * 1024;
