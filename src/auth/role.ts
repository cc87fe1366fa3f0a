// What a user may do. Only `admin` is looked at so far; `readonly` waits for the finer rules.
export type Role = "admin" | "user" | "readonly";
