// Which names users may have.
import { FsError } from "../domain/errno.ts";

/** Readable in URLs, logs and file names without quoting. */
const USER_NAME = /^[a-z_][a-z0-9_.-]{0,63}$/;

export function isUserName(name: string): boolean {
  return USER_NAME.test(name);
}

/** @throws FsError EINVAL */
export function checkUserName(name: string): void {
  if (isUserName(name)) return;
  throw new FsError(
    "EINVAL",
    "a user name is 1 to 64 of a-z, 0-9, dot, dash and underscore, and begins with a letter",
  );
}
