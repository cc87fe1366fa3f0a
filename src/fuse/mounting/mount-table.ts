// Reads /proc/self/mountinfo: what is mounted where, without touching any mount.
import { readFile, realpath } from "node:fs/promises";

export interface MountEntry {
  readonly mountpoint: string;
  /** "major:minor" of the mounted file system's device. */
  readonly device: string;
  readonly type: string;
  readonly source: string;
  /** Options of the file system itself, e.g. "rw,user_id=0,group_id=0". */
  readonly superOptions: readonly string[];
}

/** mountinfo writes blanks, tabs, newlines and backslashes as three octal digits. */
function unescape(field: string): string {
  const bytes = field.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}

/** Lines of proc(5) mountinfo, in order of mounting. */
export function parseMountInfo(latin1: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of latin1.split("\n")) {
    const fields = line.split(" ");
    const separator = fields.indexOf("-", 6);
    const [device, , mountpoint] = fields.slice(2, 5);
    const [type, source, options] = fields.slice(separator + 1);
    if (separator < 0 || device === undefined || mountpoint === undefined) continue;
    if (type === undefined || source === undefined || options === undefined) continue;
    entries.push({
      mountpoint: unescape(mountpoint),
      device,
      type,
      source: unescape(source),
      superOptions: options.split(","),
    });
  }
  return entries;
}

/**
 * The topmost mount at `mountpoint`, whatever names lead there; undefined when none is. A path that
 * doesn't exist has none.
 */
export async function findMount(mountpoint: string): Promise<MountEntry | undefined> {
  let path: string;
  try {
    // Resolving sends nothing to the file system mounted at the path's end, dead or alive.
    path = await realpath(mountpoint);
  } catch {
    return undefined;
  }
  const entries = parseMountInfo(await readFile("/proc/self/mountinfo", "latin1"));
  return entries.findLast((entry) => entry.mountpoint === path);
}
