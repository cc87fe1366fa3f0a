// Owners of files as local users (`-o uid=,gid=`): what belongs to the mounting user in the cluster
// belongs to the given local user here, and the other way round. No other id is made to mean
// somebody else.
import { ACL_TAG, encodeAcl, isAclName, isNamed, parseAcl } from "../../domain/acl.ts";
import type { Attr, AttrChanges, Caller } from "../../domain/attributes.ts";
import { translateVfs } from "./translated-vfs.ts";
import type { Vfs } from "../vfs.ts";

/** What Linux shows for an owner without a meaning here (/proc/sys/fs/overflowuid), "nobody". */
const OVERFLOW_ID = 65_534;

/** One id in the cluster, and the local one that stands for it. */
export interface IdPair {
  readonly cluster: number;
  readonly local: number;
}

function toCluster(pair: IdPair | undefined, id: number): number {
  return id === pair?.local ? pair.cluster : id;
}

/** The cluster's own bearer of the local number is somebody else: shown as nobody. */
function toLocal(pair: IdPair | undefined, id: number): number {
  if (pair === undefined || pair.local === pair.cluster) return id;
  if (id === pair.cluster) return pair.local;
  return id === pair.local ? OVERFLOW_ID : id;
}

/** `vfs` with the ids of the pairs exchanged. */
export function mapIds(vfs: Vfs, uids: IdPair | undefined, gids: IdPair | undefined): Vfs {
  /** An ACL names users and groups. */
  const mapAcl = (
    name: string,
    value: Uint8Array,
    map: (pair: IdPair | undefined, id: number) => number,
  ): Uint8Array => {
    if (!isAclName(name)) return value;
    const entries = parseAcl(value).map((entry) =>
      isNamed(entry)
        ? { ...entry, id: map(entry.tag === ACL_TAG.USER ? uids : gids, entry.id) }
        : entry,
    );
    return encodeAcl(entries);
  };
  const attr = (inner: Attr): Attr => {
    return { ...inner, uid: toLocal(uids, inner.uid), gid: toLocal(gids, inner.gid) };
  };
  return translateVfs(vfs, {
    inward: {
      caller(caller: Caller): Caller {
        const { uid, gid } = caller;
        const mapped = { ...caller, uid: toCluster(uids, uid), gid: toCluster(gids, gid) };
        if (caller.groups === undefined) return mapped;
        return { ...mapped, groups: caller.groups.map((id) => toCluster(gids, id)) };
      },
      changes(changes: AttrChanges): AttrChanges {
        const { uid, gid } = changes;
        return {
          ...changes,
          ...(uid === undefined ? {} : { uid: toCluster(uids, uid) }),
          ...(gid === undefined ? {} : { gid: toCluster(gids, gid) }),
        };
      },
      xattrValue: (value, name) => mapAcl(name, value, (pair, id) => toCluster(pair, id)),
    },
    outward: {
      attr,
      entry: (entry) => (entry.attr === undefined ? entry : { ...entry, attr: attr(entry.attr) }),
      xattrValue: (value, name) => mapAcl(name, value, (pair, id) => toLocal(pair, id)),
    },
  });
}
