// What an answer to a change says of how it was done, for the server to do it in the same way
// again.
import type { Timespec } from "../../domain/attributes.ts";
import type { Ino } from "../../domain/ids.ts";
import { readCount, readInteger, readList, type Codec } from "../rpc/wire-readers.ts";
import { readIno } from "./wire-values.ts";

/** No operation tells of more. */
const MAX_MET = 8;

export interface ChangeTrace {
  /** The first of the ids that it took, which follow one another; 0: it took none. */
  readonly firstId: number;
  /** By the server's clock. */
  readonly time: Timespec;
  /** Inodes that it found by name and changed, in its order. */
  readonly met: readonly Ino[];
}

export const changeTraceCodec: Codec<ChangeTrace> = {
  pack: ({ firstId, time, met }) => [firstId, time.sec, time.nsec, ...met],
  read: (raw) => {
    const [firstId, sec, nsec, ...met] = readList(raw, 3 + MAX_MET, "trace of a change");
    return {
      firstId: readCount(firstId, "first id"),
      time: { sec: readInteger(sec, "seconds"), nsec: readCount(nsec, "nanoseconds") },
      met: met.map(readIno),
    };
  },
};
