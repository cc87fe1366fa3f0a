// Mends taken out again, one at a time, in the compiled product: the simulator must find each.
import type { Mutation } from "./mutant-hooks.ts";
import type { FaultKind } from "./plan.ts";

export interface Mutant extends Mutation {
  /** What is broken then. */
  readonly name: string;
  /** Seeds in which it is looked for. */
  readonly first: number;
  readonly count: number;
  /** Instead of those that the seeds choose. */
  readonly faults?: readonly FaultKind[];
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: "the journal never reaches the disk",
    file: "dist/meta/engine/journal.js",
    find: "this.#syncing = this.#datasync().then(() => {",
    replace: "this.#syncing = Promise.resolve().then(() => {",
    first: 1,
    count: 10,
  },
  {
    name: "a client gives nothing back that the server has forgotten",
    file: "dist/protocol/rpc/change-log.js",
    find: "get forgotten() {\n        return this.#forgotten;",
    replace: "get forgotten() {\n        return [];",
    first: 1,
    count: 40,
  },
  {
    name: "nobody notices that the server came back behind",
    file: "dist/protocol/rpc/change-log.js",
    find: "this.#incarnation !== undefined && this.#incarnation !== present;",
    replace: "false;",
    first: 1,
    count: 40,
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
    count: 40,
  },
  {
    name: "cells that a node sends aren't compared with their checksums",
    file: "dist/stripes/row-read.js",
    find: "if (isWhole && seal.corruptCells(id, bytes, cellCrcs, firstCell).length === 0) {",
    replace: "if (isWhole) {",
    first: 1,
    count: 20,
    faults: ["rot"],
  },
  {
    name: "an index is believed after one of its flushes has failed",
    file: "dist/storage/shards/shard-store.js",
    find: "await salvageIndex(disk, directory, openStore);",
    replace: "",
    first: 1,
    count: 20,
    faults: ["failingFlush", "nodeCrash", "nodeCut"],
  },
  {
    name: "what damage is reported is forgotten at once",
    file: "dist/meta/cluster/group-ledger.js",
    find: "group.findings.set(text, { report, number: this.#number });",
    replace: "",
    first: 1,
    count: 25,
    faults: ["rot"],
  },
  {
    name: "a client's last reports come after its session has ended",
    file: "dist/app/client-session.js",
    find: "await vfs.close();",
    replace: "await vfs.close().finally(() => meta.close());",
    first: 1,
    count: 60,
  },
  {
    name: "numbers are given that no disk knows to be taken",
    file: "dist/meta/namespace/number-ranges.js",
    find: 'takeNumbers(tx, "ids", NUMBERS_PER_RANGE)',
    replace: 'takeNumbers(tx, "ids", 1)',
    first: 1,
    count: 60,
  },
  {
    name: "a server goes on from a journal that has lost durable changes",
    file: "dist/meta/engine/recovery.js",
    find: "return position < durable || end?.damaged === true;",
    replace: "return false;",
    first: 1,
    count: 60,
  },
  {
    name: "a node does what another one was asked for",
    file: "dist/protocol/shard/node-name.js",
    find: "if (self !== undefined && meantFor === self)",
    replace: "if (true)",
    first: 1,
    count: 60,
  },
  {
    name: "fsync brings to disk what its own client wrote, and nothing else",
    file: "dist/vfs/write/file-writer.js",
    find: "if (unsettled)\n                await durability.syncFile(this.#owner.ino);",
    replace: "",
    first: 21,
    count: 15,
    faults: ["rot", "siteCut"],
  },
  {
    name: "a copy of a node's data takes the place of the node that serves",
    file: "dist/meta/cluster/node-registrations.js",
    find: "if (isHeard)\n                throw taken(id, holder);",
    replace: "",
    first: 1,
    count: 10,
    faults: ["nodeCopy"],
  },
  {
    name: "a node that starts is believed to have what it had before",
    file: "dist/meta/cluster/cluster-registry.js",
    find: "if (isNewStart)\n            await this.groups.doubtNode(id, isOlder);",
    replace: "",
    first: 31,
    count: 10,
    faults: ["nodeRollback"],
  },
  {
    name: "who copies by reference isn't counted",
    file: "dist/meta/namespace/data.js",
    find: "this.#citations.add([extent], 1);",
    replace: "",
    first: 1,
    count: 10,
  },
  {
    name: "what has just died is deleted before its death is on disk",
    file: "dist/app/engine-slice-ledger.js",
    find:
      "const { due } = this.#marks;\n" +
      "        // A power cut must not bring back metadata that cites what is deleted then.\n" +
      "        if (due > this.#durableBelow)\n            await this.#engine.flush();",
    replace: "const due = next;",
    first: 1,
    count: 30,
  },
  {
    name: "a surplus copy goes before its home has a whole one on disk",
    file: "dist/jobs/repair/group-repair.js",
    find: ".filter(({ id }) => state.isReplaced(id))",
    replace: "",
    first: 21,
    count: 10,
    faults: ["nodeStop", "nodeCut", "cutWay"],
  },
];
