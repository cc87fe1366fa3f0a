// Runs seeds in a process of their own, which a broken invariant or a mutation can't harm others
// from.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Mutation } from "./mutant-hooks.ts";
import type { FaultKind } from "./plan.ts";

/** From the first on, as many as CI has minutes for; `scripts/simulate` runs more. */
export const CI_SEEDS = 2000;
const MAIN = fileURLToPath(new URL("main.js", import.meta.url));
const MUTATE = new URL("mutate.js", import.meta.url).href;

/** A seed takes well below a second of an idle core; one that takes this long never ends. */
const SEED_LIMIT_MS = 240_000;

interface Begun {
  readonly begins: number;
}

export interface Found {
  readonly seed: number;
  readonly findings: readonly string[];
}

export interface SeedsRun {
  readonly seeds: number;
  readonly found: readonly Found[];
  /** Over all runs. */
  readonly hash: string;
}

/** With a mutation it ends at the first finding. `faults`: instead of those that a seed chooses. */
export async function runSeeds(
  first: number,
  count: number,
  mutation?: Mutation,
  faults: readonly FaultKind[] = [],
): Promise<SeedsRun> {
  const mutating = mutation === undefined ? [] : ["--import", MUTATE];
  const given = faults.length > 0 ? [faults.join()] : [];
  const child = spawn(
    process.execPath,
    [...mutating, MAIN, String(first), String(count), mutation ? "first" : "each", ...given],
    {
      stdio: ["ignore", "pipe", "inherit"],
      // Coverage of what runs a thousand times over costs it its speed.
      env: {
        ...process.env,
        DFS_MUTATION: JSON.stringify(mutation),
        NODE_V8_COVERAGE: undefined,
      },
    },
  );
  const ended = once(child, "exit");
  const found: Found[] = [];
  let sum = { seeds: 0, hash: "" };
  let begun = first;
  const kill = (): void => void child.kill("SIGKILL");
  let patience = setTimeout(kill, SEED_LIMIT_MS);
  for await (const line of createInterface({ input: child.stdout })) {
    clearTimeout(patience);
    patience = setTimeout(kill, SEED_LIMIT_MS);
    const said = JSON.parse(line) as Begun | Found | typeof sum; // lines of main.ts
    if ("begins" in said) begun = said.begins;
    else if ("seed" in said) found.push(said);
    else sum = said;
  }
  clearTimeout(patience);
  await ended;
  if (child.killed) {
    throw new Error(`DFS_SEED=${begun}: no end within ${SEED_LIMIT_MS / 1000} s`);
  }
  return { ...sum, found };
}

/** DFS_SEED alone, or so many from the first on. */
export function seedsFromEnvironment(count: number): { first: number; count: number } {
  const seed = process.env["DFS_SEED"];
  return seed === undefined ? { first: 1, count } : { first: Number(seed), count: 1 };
}
