// A package of this project's node_modules, with all it depends on, as tarballs that npm ci
// installs offline.
import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const MODULES = "node_modules/";

interface LockEntry {
  version: string;
  dependencies?: Record<string, string>;
  bin?: unknown;
}

type Lock = Readonly<Record<string, LockEntry | undefined>>;

/** Where Node looks for a dependency of the package at `path`: beside it, then further up. */
function resolve(lock: Lock, path: string, dependency: string): string {
  for (let from = path; ; from = from.slice(0, Math.max(0, from.lastIndexOf(`/${MODULES}`)))) {
    const candidate = `${from === "" ? "" : `${from}/`}${MODULES}${dependency}`;
    if (lock[candidate] !== undefined) return candidate;
    if (from === "") throw new Error(`${dependency}, which ${path} needs, isn't in the lockfile`);
    if (!from.includes(`/${MODULES}`)) from = "";
  }
}

function closureOf(lock: Lock, path: string): Map<string, LockEntry> {
  const found = new Map<string, LockEntry>();
  const visit = (at: string): void => {
    const entry = lock[at];
    if (found.has(at) || entry === undefined) return;
    found.set(at, entry);
    for (const name of Object.keys(entry.dependencies ?? {})) visit(resolve(lock, at, name));
  };
  visit(path);
  return found;
}

/**
 * Writes package.json, package-lock.json and the tarballs of `name` into the new directory
 * `target`.
 */
export async function packTree(name: string, target: string): Promise<void> {
  const text = await readFile(join(ROOT, "package-lock.json"), "utf8");
  const lock = (JSON.parse(text) as { packages: Lock }).packages;
  await mkdir(join(target, "pack"), { recursive: true });
  const wanted = closureOf(lock, MODULES + name);
  const version = wanted.get(MODULES + name)?.version;
  const root = { name: "tree", version: "1.0.0", dependencies: { [name]: version } };
  const packages: Record<string, unknown> = { "": root };
  for (const [path, { version, dependencies, bin }] of wanted) {
    const file = `pack/${Object.keys(packages).length}.tgz`;
    const args = ["--exclude=./node_modules", "--transform=s,^\\.,package,", "-C"];
    await promisify(execFile)("tar", ["-czf", join(target, file), ...args, join(ROOT, path), "."]);
    packages[path] = { version, dependencies, bin, resolved: `file:${file}` };
  }
  await writeFile(join(target, "package.json"), JSON.stringify(root));
  const whole = { ...root, dependencies: undefined, lockfileVersion: 3, requires: true, packages };
  await writeFile(join(target, "package-lock.json"), JSON.stringify(whole));
}
