// The supplementary groups of callers, which the kernel's requests don't name: found in /proc, when
// the answer depends on them. Does not decide what they allow.
import { readFile } from "node:fs/promises";
import type { Caller } from "../../domain/attributes.ts";
import { MAX_CALLER_GROUPS_AGE_MS, MAX_CALLER_GROUPS } from "./limits.ts";
import type { Clock } from "../../platform/clock.ts";
import type { GroupsOfCallers } from "../../vfs/views/grouped-vfs.ts";
import { BoundedMap } from "../../platform/flow/bounded-map.ts";

interface Found {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly untilMs: number;
}

/**
 * Groups of a thread of this machine. Empty when it can't be looked at (ended, another pid
 * namespace, hidepid).
 */
export async function readGroups(pid: number): Promise<readonly number[]> {
  try {
    const status = await readFile(`/proc/${pid}/status`, "latin1");
    const line = /^Groups:(.*)$/m.exec(status)?.[1]?.trim() ?? "";
    return line === "" ? [] : line.split(/\s+/).map(Number);
  } catch {
    return [];
  }
}

/**
 * Remembers groups for a moment, since who needs them once needs them for every request. What is
 * remembered may be another's, whose thread id was used again: with default_permissions, which
 * POSIX ACLs bring along, the kernel has checked the caller by then and asks on behalf of no one
 * whom it would refuse.
 */
export class CallerGroups implements GroupsOfCallers {
  readonly #clock: Clock;
  readonly #read: (pid: number) => Promise<readonly number[]>;
  readonly #found = new BoundedMap<number, Found>(MAX_CALLER_GROUPS);

  constructor(clock: Clock, read: (pid: number) => Promise<readonly number[]> = readGroups) {
    this.#clock = clock;
    this.#read = read;
  }

  /** The caller with the groups that helped it a moment ago, else as it is. */
  remembered(caller: Caller): Caller {
    if (this.#found.size === 0 || caller.pid === undefined) return caller;
    const found = this.#found.get(caller.pid);
    if (found?.uid !== caller.uid || found.gid !== caller.gid) return caller;
    if (this.#clock.monotonicMs() >= found.untilMs) return caller;
    return { ...caller, groups: found.groups };
  }

  /** The caller with the groups it has now. */
  async lookUp(caller: Caller): Promise<Caller> {
    const { pid, uid, gid } = caller;
    if (pid === undefined) return caller;
    const groups = await this.#read(pid);
    this.#found.delete(pid);
    if (groups.length === 0) return caller;
    const untilMs = this.#clock.monotonicMs() + MAX_CALLER_GROUPS_AGE_MS;
    this.#found.set(pid, { uid, gid, groups, untilMs });
    return { ...caller, groups };
  }
}
