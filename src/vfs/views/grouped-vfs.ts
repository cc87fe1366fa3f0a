// A Vfs whose callers have their supplementary groups where that matters: what is refused is tried
// once more with them. Looking them up for every request would cost more than most requests.
import { ACL_ACCESS } from "../../domain/acl.ts";
import { S_ISGID, type Caller } from "../../domain/attributes.ts";
import { isFsError } from "../../domain/errno.ts";
import type { Vfs } from "../vfs.ts";
import type { VfsCall, VfsMethod } from "../vfs-table.ts";
import { wrapVfs, type AnyCall } from "./wrap-vfs.ts";

/** Where the supplementary groups of callers are found. */
export interface GroupsOfCallers {
  /** The caller with the groups that helped it a moment ago, else as it is. */
  remembered(caller: Caller): Caller;
  /** The caller with the groups it has now. */
  lookUp(caller: Caller): Promise<Caller>;
}

/** Whether groups may change the outcome without a refusal, so that they are looked up before. */
type Silently = (...args: unknown[]) => boolean;

/** Who isn't in a file's group loses its setgid bit. */
function isSetgid(mode: number): boolean {
  return (mode & S_ISGID) !== 0;
}

const SILENTLY: {
  readonly [M in VfsMethod]?: (...args: Parameters<VfsCall<M>>) => boolean;
} = {
  setattr: (_caller, _ino, { mode = 0 }) => isSetgid(mode),
  mknod: (_caller, _parent, _name, mode) => isSetgid(mode),
  create: (_caller, _parent, _name, mode) => isSetgid(mode),
  createUnnamed: (_caller, _parent, mode) => isSetgid(mode),
  setxattr: (_caller, _ino, name) => name === ACL_ACCESS,
};

function sameGroups(a: Caller, b: Caller): boolean {
  const [mine = [], yours = []] = [a.groups, b.groups];
  return mine.length === yours.length && mine.every((group, index) => group === yours[index]);
}

/** `call` with a second chance for whoever was refused and has groups. */
function regrouping(
  groups: GroupsOfCallers,
  call: AnyCall,
  silently: Silently | undefined,
): AnyCall {
  return (first, ...rest) => {
    const caller = first as Caller; // a method that judges takes the caller first: see its row
    if (caller.uid === 0) return call(caller, ...rest);
    if (silently?.(caller, ...rest) === true) {
      return groups.lookUp(caller).then((grouped) => call(grouped, ...rest));
    }
    const tried = groups.remembered(caller);
    const refused = async (error: unknown): Promise<unknown> => {
      if (!isFsError(error, "EACCES", "EPERM")) throw error;
      const grouped = await groups.lookUp(caller);
      if (sameGroups(grouped, tried)) throw error;
      return call(grouped, ...rest);
    };
    try {
      const result = call(tried, ...rest);
      return result instanceof Promise ? result.catch(refused) : result;
    } catch (error) {
      return refused(error);
    }
  };
}

/** `vfs` for callers that bring their `pid` along. */
export function withCallerGroups(vfs: Vfs, groups: GroupsOfCallers): Vfs {
  return wrapVfs(vfs, (call, row, method) => {
    if (!row.judges) return call;
    // It is handed the arguments of the method that it stands for.
    return regrouping(groups, call, SILENTLY[method] as Silently | undefined);
  });
}
