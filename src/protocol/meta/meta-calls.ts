// What is made from the table of operations: their rows for code that treats all alike, and
// services whose every method is one call.
import { invariant } from "../../domain/invariant.ts";
import type { Procedure } from "../rpc/procedure.ts";
import { META_OPERATIONS, rowOf, type MetaOperation } from "./meta-operations.ts";
import type { MetaService } from "./meta-service.ts";

/** One operation's row. */
export interface Operation extends Procedure {
  readonly name: MetaOperation;
}

// The table's keys are the operations, by its type.
const NAMES = Object.keys(META_OPERATIONS) as MetaOperation[];

const OPERATIONS: readonly Operation[] = NAMES.map((name) => {
  const row = rowOf(name);
  const { number, runs } = row;
  // An operation's values meet only its own codecs, which the table pairs up by type.
  const { args, result } = row as unknown as Pick<Operation, "args" | "result">;
  const doneBySessionEnd = row.kind === "change" && row.doneBySessionEnd === true;
  return { name, number, once: runs === "once", doneBySessionEnd, args, result };
});

/** Operations by their numbers; some numbers may be nobody's. */
export const OPERATIONS_BY_NUMBER: readonly (Operation | undefined)[] = byNumber();

function byNumber(): (Operation | undefined)[] {
  const last = Math.max(...OPERATIONS.map(({ number }) => number));
  const list = new Array<Operation | undefined>(last + 1).fill(undefined);
  for (const operation of OPERATIONS) list[operation.number] = operation;
  return list;
}

export function operationNamed(name: MetaOperation): Operation {
  const operation = OPERATIONS.find((candidate) => candidate.name === name);
  invariant(operation !== undefined, "the table has a row for each operation", { name });
  return operation;
}

/** Carries out an operation; what it resolves to is the operation's result. */
export type MetaCall = (operation: Operation, args: readonly unknown[]) => Promise<unknown>;

/** A service whose methods are calls of `call`, each with its own row. */
export function makeMetaService(call: MetaCall): MetaService {
  const methods = OPERATIONS.map((operation) => [
    operation.name,
    (...args: readonly unknown[]) => call(operation, args),
  ]);
  // fromEntries, other than adding them one by one, leaves V8 an object with fast properties. The
  // table has a row for each method of MetaService, and by contract `call` gives its result.
  return Object.fromEntries(methods) as MetaService;
}
