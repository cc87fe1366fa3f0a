// Module hooks that take one text of one compiled file for another, while it is loaded.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { LoadHook } from "node:module";

export interface Mutation {
  /** Under dist, as dist/jobs/gc-job.js. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly find: string;
  readonly replace: string;
}

let mutation: Mutation | undefined;

export function initialize(given: Mutation): void {
  mutation = given;
}

export const load: LoadHook = async (url, context, nextLoad) => {
  if (mutation === undefined || !url.endsWith(`/${mutation.file}`)) return nextLoad(url, context);
  const text = await readFile(fileURLToPath(url), "utf8");
  return { format: "module", shortCircuit: true, source: mutated(text, mutation) };
};

/** @throws Error unless the text to be replaced stands there once */
export function mutated(text: string, { file, find, replace }: Mutation): string {
  const [before, after, ...more] = text.split(find);
  if (before === undefined || after === undefined || more.length > 0) {
    throw new Error(`${file} must have this text once: ${find}`);
  }
  return `${before}${replace}${after}`;
}
