// A Vfs whose callers have their supplementary groups where that matters: what is refused is tried
// once more with them. Looking them up for every request would cost more than most requests.
import { ACL_ACCESS } from "../../domain/acl.ts";
import { S_ISGID, type Caller } from "../../domain/attributes.ts";
import { isFsError } from "../../domain/errno.ts";
import type { MaybePromise, Vfs } from "../../vfs/vfs.ts";
import type { CallerGroups } from "./caller-groups.ts";

type Asking<Args extends unknown[], Result> = (
  caller: Caller,
  ...args: Args
) => MaybePromise<Result>;

function sameGroups(a: Caller, b: Caller): boolean {
  const [mine = [], yours = []] = [a.groups, b.groups];
  return mine.length === yours.length && mine.every((group, index) => group === yours[index]);
}

/** `operation` with a second chance for whoever was refused and has groups. */
function regrouping<Args extends unknown[], Result>(
  groups: CallerGroups,
  operation: Asking<Args, Result>,
): Asking<Args, Result> {
  return (caller, ...args) => {
    if (caller.uid === 0) return operation(caller, ...args);
    const tried = groups.remembered(caller);
    const refused = async (error: unknown): Promise<Result> => {
      if (!isFsError(error, "EACCES", "EPERM")) throw error;
      const grouped = await groups.lookUp(caller);
      if (sameGroups(grouped, tried)) throw error;
      return operation(grouped, ...args);
    };
    try {
      const result = operation(tried, ...args);
      return result instanceof Promise ? result.catch(refused) : result;
    } catch (error) {
      return refused(error);
    }
  };
}

/**
 * As regrouping; where `silent`, groups change the outcome without a refusal and are looked up
 * before.
 */
function groupedWhere<Args extends unknown[], Result>(
  groups: CallerGroups,
  operation: Asking<Args, Result>,
  silent: (...args: Args) => boolean,
): Asking<Args, Result> {
  const otherwise = regrouping(groups, operation);
  return (caller, ...args) => {
    if (caller.uid === 0 || !silent(...args)) return otherwise(caller, ...args);
    return groups.lookUp(caller).then((grouped) => operation(grouped, ...args));
  };
}

/** Who isn't in a file's group loses its setgid bit. */
function isSetgid(mode: number): boolean {
  return (mode & S_ISGID) !== 0;
}

function lockMethods(vfs: Vfs): Pick<Vfs, "getlk" | "setlk"> {
  return {
    ...(vfs.getlk === undefined ? {} : { getlk: vfs.getlk.bind(vfs) }),
    ...(vfs.setlk === undefined ? {} : { setlk: vfs.setlk.bind(vfs) }),
  };
}

/** Operations by handle were permitted when it was opened, and pass through. */
function handleMethods(vfs: Vfs): Omit<Vfs, keyof ReturnType<typeof askingMethods>> {
  return {
    ...lockMethods(vfs),
    forget: (ino, count) => vfs.forget(ino, count),
    read: (fh, offset, sizeBytes) => vfs.read(fh, offset, sizeBytes),
    write: (fh, offset, data, kill) => vfs.write(fh, offset, data, kill),
    fallocate: (...args) => vfs.fallocate(...args),
    seek: (...args) => vfs.seek(...args),
    copyRange: (...args) => vfs.copyRange(...args),
    flush: (fh, owner) => vfs.flush(fh, owner),
    fsync: (fh, dataOnly) => vfs.fsync(fh, dataOnly),
    release: (fh) => vfs.release(fh),
    readdir: (fh, cursor, withAttrs) => vfs.readdir(fh, cursor, withAttrs),
    releasedir: (fh) => vfs.releasedir(fh),
    fsyncdir: (fh) => vfs.fsyncdir(fh),
    statfs: () => vfs.statfs(),
    syncfs: () => vfs.syncfs(),
    close: () => vfs.close(),
  };
}

function askingMethods(vfs: Vfs, groups: CallerGroups) {
  return {
    lookup: regrouping(groups, vfs.lookup.bind(vfs)),
    getattr: vfs.getattr.bind(vfs),
    setattr: groupedWhere(groups, vfs.setattr.bind(vfs), (_, { mode = 0 }) => isSetgid(mode)),
    readlink: regrouping(groups, vfs.readlink.bind(vfs)),
    symlink: regrouping(groups, vfs.symlink.bind(vfs)),
    mknod: groupedWhere(groups, vfs.mknod.bind(vfs), (_, __, mode) => isSetgid(mode)),
    mkdir: regrouping(groups, vfs.mkdir.bind(vfs)),
    unlink: regrouping(groups, vfs.unlink.bind(vfs)),
    rmdir: regrouping(groups, vfs.rmdir.bind(vfs)),
    rename: regrouping(groups, vfs.rename.bind(vfs)),
    link: regrouping(groups, vfs.link.bind(vfs)),
    create: groupedWhere(groups, vfs.create.bind(vfs), (_, __, mode) => isSetgid(mode)),
    createUnnamed: groupedWhere(groups, vfs.createUnnamed.bind(vfs), (_, mode) => isSetgid(mode)),
    open: regrouping(groups, vfs.open.bind(vfs)),
    opendir: regrouping(groups, vfs.opendir.bind(vfs)),
    getxattr: regrouping(groups, vfs.getxattr.bind(vfs)),
    setxattr: groupedWhere(groups, vfs.setxattr.bind(vfs), (_, name) => name === ACL_ACCESS),
    listxattr: regrouping(groups, vfs.listxattr.bind(vfs)),
    removexattr: regrouping(groups, vfs.removexattr.bind(vfs)),
  } satisfies Partial<Vfs>;
}

/** `vfs` for callers that bring their `pid` along. */
export function withCallerGroups(vfs: Vfs, groups: CallerGroups): Vfs {
  return { ...handleMethods(vfs), ...askingMethods(vfs, groups) };
}
