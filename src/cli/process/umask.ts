// The process's umask, read without setting it as umask(2) would (proc(5), Linux 4.7).
import { readFile } from "node:fs/promises";

const USUAL_UMASK = 0o022;

export async function readUmask(): Promise<number> {
  const match = /^Umask:\s+([0-7]+)$/m.exec(await readFile("/proc/self/status", "utf8"));
  return match?.[1] === undefined ? USUAL_UMASK : Number.parseInt(match[1], 8);
}
