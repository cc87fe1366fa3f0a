// A small tree with owners and modes, and a way to state what errno each step on it must give.
import test from "ava";
import { ROOT_CALLER, type Caller } from "../../domain/attributes.ts";
import type { ErrnoName } from "../../domain/errno.ts";
import type { Ino, Name } from "../../domain/ids.ts";
import type { Transaction } from "../../meta/engine/engine.ts";
import { MemoryEngine } from "../../meta/engine/memory-engine.ts";
import { TestNamespace, type NamespaceCalls } from "./engine-namespace.ts";

export const ann: Caller = { uid: 100, gid: 10, groups: [20] };
export const bob: Caller = { uid: 101, gid: 11 };
export const n = (name: string): Name => name as Name;

/**
 * /dir (root, 0755) with file, sub/ (with leaf), link -> file; /open (0777); /shared (1777) with
 * anns (of ann) and bobs (of bob); /anns (ann, 0700).
 */
export interface World {
  dir: Ino;
  file: Ino;
  sub: Ino;
  leaf: Ino;
  link: Ino;
  open: Ino;
  shared: Ino;
  bobs: Ino;
  anns: Ino;
}

async function world(): Promise<[TestNamespace, World]> {
  const fs = await TestNamespace.on(new MemoryEngine());
  const dir = (await fs.directory("dir")).ino;
  const open = (await fs.directory("open", { mode: 0o777 })).ino;
  const shared = (await fs.directory("shared", { mode: 0o1777 })).ino;
  const sub = (await fs.directory("sub", { parent: dir })).ino;
  const anns = await fs.directory("anns", { mode: 0o700 });
  await fs.do((ns, tx) => ns.setattr(tx, ROOT_CALLER, anns.ino, { uid: 100, gid: 10 }, false));
  await fs.file("anns", { parent: shared, caller: ann });
  const found: World = {
    dir,
    open,
    shared,
    sub,
    anns: anns.ino,
    file: (await fs.file("file", { parent: dir })).ino,
    leaf: (await fs.file("leaf", { parent: sub })).ino,
    link: (await fs.do((ns, tx) => ns.symlink(tx, ROOT_CALLER, dir, n("link"), "file"))).ino,
    bobs: (await fs.file("bobs", { parent: shared, caller: bob })).ino,
  };
  return [fs, found];
}

export type Step = (ns: NamespaceCalls, tx: Transaction, w: World) => unknown;

export type Rule = [promise: string, errno: ErrnoName | "ok", step: Step];

/** Declares a test for each rule; the store must be sound afterwards, error or not. */
export function testRules(rules: readonly Rule[]): void {
  for (const [promise, expected, step] of rules) {
    test(`${promise}: ${expected}`, async (t) => {
      const [fs, w] = await world();
      t.is(await fs.errno((ns, tx) => step(ns, tx, w)), expected);
      t.deepEqual(await fs.broken(), []);
    });
  }
}
