// Which inodes a change was about that its server has forgotten.
import type { Ino } from "../../domain/ids.ts";
import type { LostCall } from "../rpc/change-log.ts";
import { readArgs } from "../rpc/procedure.ts";
import type { Operation } from "./meta-calls.ts";
import type { LostChange } from "./meta-service.ts";
import { changeTraceCodec } from "./wire-trace.ts";
import { inoCodec } from "./wire-values.ts";

/** Fields of requests that name an inode. */
const INO_FIELDS = ["ino", "source", "target"] as const;

export function lostChangeOf({ procedure, args, trace, error }: LostCall): LostChange {
  const { name: operation } = procedure as Operation; // every procedure of a session is one
  const { firstId, met } = changeTraceCodec.read(trace);
  const inos = new Set<number>(met);
  // An id may be no ino but a cookie, and then is nobody's ino.
  if (firstId > 0) inos.add(firstId);
  readArgs(procedure, args).forEach((value, position) => {
    for (const ino of inosOf(value, procedure.args[position] === inoCodec)) inos.add(ino);
  });
  return { operation, inos: [...inos] as Ino[], error };
}

function inosOf(value: unknown, isIno: boolean): number[] {
  if (isIno) return [value as number]; // as its codec has read it
  if (Array.isArray(value)) return value.filter((item) => typeof item === "number");
  if (typeof value !== "object" || value === null) return [];
  const fields = value as Partial<Record<(typeof INO_FIELDS)[number], unknown>>; // whatever it has
  return INO_FIELDS.map((field) => fields[field]).filter((ino) => typeof ino === "number");
}
