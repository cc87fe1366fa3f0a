// A Vfs over another one, with inode numbers, callers and attributes translated on the way: what
// subdir-vfs and id-mapping-vfs have in common.
import type { Attr } from "../../domain/attributes.ts";
import type { DirEntry } from "../../protocol/meta/meta-service.ts";
import type { Vfs } from "../vfs.ts";
import type { ArgumentTypes, ResultTypes, VfsRow } from "../vfs-table.ts";
import { thenGive, wrapVfs, type AnyCall } from "./wrap-vfs.ts";

/** `xattrName` is that of the xattr that is asked for, "" where none is. */
type Translate<T> = (value: T, xattrName: string) => T;
type AnyTranslate = Translate<unknown>;

/** What isn't there stays as it is. */
export interface Translation {
  /** To what the Vfs below knows. */
  readonly inward: { readonly [K in keyof ArgumentTypes]?: Translate<ArgumentTypes[K]> };
  /** To what is shown. */
  readonly outward: {
    readonly attr: (attr: Attr) => Attr;
    readonly entry: (entry: DirEntry) => DirEntry;
    readonly xattrValue?: Translate<Uint8Array>;
  };
}

type Outward = { readonly [K in keyof ResultTypes]: Translate<ResultTypes[K]> | undefined };

function outwardOf({ outward: { attr, entry, xattrValue } }: Translation): Outward {
  return {
    attr,
    opened: (opened) => ({ ...opened, attr: attr(opened.attr) }),
    entries: (entries) => entries.map(entry),
    xattrValue,
  };
}

/** The method with everything that its row tells of translated; itself where that is nothing. */
function translated(call: AnyCall, row: VfsRow, via: Translation): AnyCall {
  const inward = row.takes.flatMap((kind, index) => {
    // A row has the kinds of its method's own types, so each value is of the type of its kind.
    const translate = kind === "plain" ? undefined : (via.inward[kind] as AnyTranslate | undefined);
    return translate === undefined ? [] : [{ index, translate }];
  });
  const outward = row.gives === "plain" ? undefined : outwardOf(via)[row.gives];
  const give = outward as AnyTranslate | undefined; // as with the arguments
  const nameAt = row.takes.indexOf("xattrName");
  if (inward.length === 0 && give === undefined) return call;
  return (...args) => {
    const name = nameAt < 0 ? "" : String(args[nameAt]);
    for (const { index, translate } of inward) args[index] = translate(args[index], name);
    const answer = call(...args);
    return give === undefined ? answer : thenGive(answer, (value) => give(value, name));
  };
}

export function translateVfs(inner: Vfs, via: Translation): Vfs {
  return wrapVfs(inner, (call, row) => translated(call, row, via));
}
