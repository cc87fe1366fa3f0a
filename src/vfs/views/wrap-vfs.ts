// A Vfs over another one, method by method from the table: how all views are built.
import type { Vfs } from "../vfs.ts";
import { VFS_METHODS, VFS_TABLE, type VfsMethod, type VfsRow } from "../vfs-table.ts";

/** Any method, for those who know its arguments and its answer from its row alone. */
export type AnyCall = (...args: unknown[]) => unknown;

/** Once for each method of the Vfs below: what the view has in its place, or `call` itself. */
export type Wrap = (call: AnyCall, row: VfsRow, method: VfsMethod) => AnyCall;

/** A view of `inner`. What that one lacks of the optional methods the view lacks as well. */
export function wrapVfs(inner: Vfs, wrap: Wrap): Vfs {
  const view: Partial<Record<VfsMethod, AnyCall>> = {};
  for (const method of VFS_METHODS) {
    // Views hand on as many arguments as they got, each of the kind that the row names.
    const call = Reflect.get(inner, method) as AnyCall | undefined;
    if (call !== undefined) view[method] = wrap(call.bind(inner), VFS_TABLE[method], method);
  }
  // The table has every method of Vfs, and each view keeps to its row. Spread, since V8 looks the
  // properties of a literal up faster than those that were added one by one by name.
  return { ...view } as Vfs;
}

/** `next` of the answer: at once if it is there, later if it is a promise. */
export function thenGive(answer: unknown, next: (value: unknown) => unknown): unknown {
  return answer instanceof Promise ? answer.then(next) : next(answer);
}
