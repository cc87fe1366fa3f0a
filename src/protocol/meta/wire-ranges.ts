// Requests that change or look for ranges of a file, as they travel.
import type { DataRun, RangeChange, RangeCopy, RangeReply } from "./meta-service.ts";
import { readCount, readFlag, readList, type Codec } from "../rpc/wire-readers.ts";
import { attrCodec, readIno } from "./wire-values.ts";

export const dataRunCodec: Codec<DataRun> = {
  pack: (run) => [run.from, run.to, run.sizeBytes],
  read: (raw) => {
    const fields = readList(raw, 3, "data run");
    return {
      from: readCount(fields[0], "from"),
      to: readCount(fields[1], "to"),
      sizeBytes: readCount(fields[2], "size"),
    };
  },
};

export const rangeChangeCodec: Codec<RangeChange> = {
  pack: (request) => [
    request.ino,
    request.offset,
    request.lengthBytes,
    request.clear,
    request.extend,
    request.killPrivileges,
  ],
  read: (raw) => {
    const fields = readList(raw, 6, "range change");
    return {
      ino: readIno(fields[0]),
      offset: readCount(fields[1], "offset"),
      lengthBytes: readCount(fields[2], "length"),
      clear: readFlag(fields[3], "clear"),
      extend: readFlag(fields[4], "extend"),
      killPrivileges: readFlag(fields[5], "killPrivileges"),
    };
  },
};

export const rangeCopyCodec: Codec<RangeCopy> = {
  pack: (request) => [
    request.source,
    request.sourceOffset,
    request.target,
    request.targetOffset,
    request.lengthBytes,
    request.killPrivileges,
  ],
  read: (raw) => {
    const fields = readList(raw, 6, "range copy");
    return {
      source: readIno(fields[0]),
      sourceOffset: readCount(fields[1], "offset"),
      target: readIno(fields[2]),
      targetOffset: readCount(fields[3], "offset"),
      lengthBytes: readCount(fields[4], "length"),
      killPrivileges: readFlag(fields[5], "killPrivileges"),
    };
  },
};

export const rangeReplyCodec: Codec<RangeReply> = {
  pack: ({ attr, doneBytes }) => [attrCodec.pack(attr), doneBytes],
  read: (raw) => {
    const fields = readList(raw, 2, "range reply");
    return { attr: attrCodec.read(fields[0]), doneBytes: readCount(fields[1], "done") };
  },
};
