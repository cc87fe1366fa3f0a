// What may be called over the RPC: a number, whether it may be repeated, codecs.
import { FsError } from "../../domain/errno.ts";

/** A codec whose types are known only to the procedure it belongs to. */
interface UntypedCodec {
  pack(value: unknown): unknown;
  read(raw: unknown): unknown;
}

export interface Procedure {
  readonly name: string;
  /** On the wire. */
  readonly number: number;
  /** It takes a reply slot and is done exactly once; else repeating it does no harm. */
  readonly once: boolean;
  /** Asked for in a session that has ended, it was done by the end. */
  readonly doneBySessionEnd: boolean;
  readonly args: readonly UntypedCodec[];
  readonly result: UntypedCodec;
}

export function packArgs(procedure: Procedure, args: readonly unknown[]): unknown[] {
  return procedure.args.map((codec, position) => codec.pack(args[position]));
}

/** @throws FsError EPROTO (malformed), or the errno of a value no file system accepts */
export function readArgs(procedure: Procedure, raw: unknown): unknown[] {
  if (!Array.isArray(raw) || raw.length !== procedure.args.length) {
    throw new FsError("EPROTO", `malformed message: arguments of ${procedure.name}`);
  }
  return procedure.args.map((codec, position) => codec.read(raw[position]));
}
