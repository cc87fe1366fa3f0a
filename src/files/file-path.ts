// Paths inside the file system as lists of names. How a caller's text is checked is its own matter.
import type { Name } from "../domain/ids.ts";
import { displayName } from "../domain/name.ts";

/** The names from the root down to the file; empty for the root itself. ".." stays in. */
export type FilePath = readonly Name[];

export function splitPath(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

export function formatPath(path: FilePath): string {
  return `/${path.map(displayName).join("/")}`;
}
