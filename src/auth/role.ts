// What a user may do. Only `admin` is looked at so far; `readonly` waits for the finer rules.
export const ROLES = ["admin", "user", "readonly"] as const;
export type Role = (typeof ROLES)[number];
