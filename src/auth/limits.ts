// Bounds of auth, each with the reason for its number.

/** Login attempts of one user from one address before each further one has to wait. */
export const LOGIN_FREE_ATTEMPTS = 5;
/** The wait doubles from a second up to this. */
export const LOGIN_MAX_WAIT_MS = 60_000;
/** (user, address) pairs remembered; the oldest are forgotten first. */
export const MAX_LOGIN_TRACKED = 10_000;
/** Password hashes computed at once: argon2id takes 19 MiB and a core each. */
export const MAX_CONCURRENT_HASHES = 2;
/** Password hashes waiting their turn before logins are told to come back (EAGAIN). */
export const MAX_QUEUED_HASHES = 64;
export const MIN_PASSWORD_CHARS = 8;
/** Longer ones only burn CPU in the hash. */
export const MAX_PASSWORD_BYTES = 1024;
/** Tokens of one user; a login past it revokes the one used longest ago. */
export const MAX_TOKENS_PER_USER = 256;
/** A token's last use is written down at most this often. */
export const TOKEN_USE_RESOLUTION_MS = 3_600_000;
