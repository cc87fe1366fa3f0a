// Mends taken out again, one at a time, in the compiled product: the simulator must find each.
import type { Mutation } from "./mutant-hooks.ts";

export interface Mutant extends Mutation {
  /** What is broken then. */
  readonly name: string;
  /** Seeds in which it is looked for. */
  readonly first: number;
  readonly count: number;
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: "the journal never reaches the disk",
    file: "dist/meta/engine/journal.js",
    find: "this.#syncing = this.#file.datasync().then(() => {",
    replace: "this.#syncing = Promise.resolve().then(() => {",
    first: 1,
    count: 10,
  },
  {
    name: "a client gives nothing back that the server has forgotten",
    file: "dist/protocol/rpc/change-log.js",
    find: "get forgotten() {\n        return this.#forgotten;",
    replace: "get forgotten() {\n        return [];",
    first: 40,
    count: 60,
  },
  {
    name: "nobody notices that the server came back behind",
    file: "dist/protocol/rpc/change-log.js",
    find: "this.#incarnation !== undefined && this.#incarnation !== present;",
    replace: "false;",
    first: 40,
    count: 60,
  },
  {
    name: "exclusive locks don't exclude",
    file: "dist/meta/locks/lock-registry.js",
    find: "const conflicts = conflictsOf(locks, holder, wanted);",
    replace: "const conflicts = [];",
    first: 1,
    count: 10,
  },
  {
    name: "shards are called secure before they are flushed",
    file: "dist/storage/shards/shard-flusher.js",
    find: "await this.#files.syncFile(entry.id)",
    replace: "await Promise.resolve(true)",
    first: 1,
    count: 10,
  },
  {
    name: "cells that a node sends aren't compared with their checksums",
    file: "dist/stripes/row-read.js",
    find: "if (isWhole && seal.corruptCells(id, bytes, cellCrcs, firstCell).length === 0) {",
    replace: "if (isWhole) {",
    first: 20,
    count: 20,
  },
  {
    name: "an index is believed after one of its flushes has failed",
    file: "dist/storage/shards/shard-store.js",
    find: "await salvageIndex(disk, directory, openStore);",
    replace: "",
    first: 2011,
    count: 1,
  },
];
