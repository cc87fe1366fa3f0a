// What can be done with ranges of open files without moving bytes: fallocate, finding data and
// holes, copying by reference.
import type { Attr, Caller } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { MAX_FILE_BYTES } from "../../domain/limits.ts";
import type { DataRun, MetaService, RangeReply } from "../../protocol/meta/meta-service.ts";
import type { HandleTable, OpenHandle } from "./handle-table.ts";
import { FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_ZERO_RANGE, type FileHandle } from "../vfs.ts";

export interface OpenRangeServices {
  readonly meta: Pick<MetaService, "changeRange" | "copyRange" | "nextData" | "statfs">;
}

interface Place {
  fh: FileHandle;
  offset: number;
}

interface Range {
  from: number;
  to: number;
}

export class OpenRangeOperations {
  readonly #services: OpenRangeServices;
  readonly #handles: HandleTable;

  constructor(services: OpenRangeServices, handles: HandleTable) {
    this.#services = services;
    this.#handles = handles;
  }

  /** @throws FsError EOPNOTSUPP, EBADF, EINVAL, EFBIG, ENOSPC */
  async fallocate(
    caller: Caller,
    fh: FileHandle,
    mode: number,
    offset: number,
    lengthBytes: number,
  ): Promise<void> {
    const handle = this.#writable(fh);
    const { clear, keepSize } = requireKnownMode(mode);
    if (lengthBytes <= 0) throw new FsError("EINVAL", "an empty range");
    if (offset + lengthBytes > MAX_FILE_BYTES) throw tooLarge();
    if (!clear) await this.#requireSpace(handle, lengthBytes);
    await handle.file.changeContent(() =>
      inSteps(lengthBytes, (doneBytes) =>
        this.#services.meta.changeRange({
          ino: handle.file.ino,
          offset: offset + doneBytes,
          lengthBytes: lengthBytes - doneBytes,
          clear,
          extend: !keepSize,
          killPrivileges: caller.uid !== 0,
        }),
      ),
    );
    if (handle.syncWrites) await handle.file.writer.sync();
  }

  /** @throws FsError ENXIO, EBADF */
  async seek(fh: FileHandle, offset: number, to: "data" | "hole"): Promise<number> {
    const { file } = this.#handles.file(fh);
    if (offset >= MAX_FILE_BYTES) throw beyond(offset);
    // Before asking: what is committed in between shows in the answer.
    const dirty = file.slices.ranges().sort((a, b) => a.from - b.from);
    const ask = (from: number): Promise<DataRun> => this.#services.meta.nextData(file.ino, from);
    const committed = await ask(offset);
    const sizeBytes = dirty.reduce((end, range) => Math.max(end, range.to), committed.sizeBytes);
    if (offset >= sizeBytes) throw beyond(offset);
    if (to === "hole") return Math.min(sizeBytes, await endOfData(offset, dirty, committed, ask));
    const pending = dirty.find((range) => range.to > offset);
    const found = Math.min(
      pending === undefined ? Infinity : Math.max(offset, pending.from),
      committed.from < committed.to ? committed.from : Infinity,
    );
    if (found === Infinity) throw beyond(offset);
    return found;
  }

  /** @throws FsError EBADF, EINVAL, EFBIG */
  async copy(caller: Caller, source: Place, target: Place, lengthBytes: number): Promise<number> {
    const from = this.#handles.file(source.fh);
    const to = this.#writable(target.fh);
    if (!from.readable) throw new FsError("EBADF", `handle ${source.fh} is not open for reading`);
    if (target.offset >= MAX_FILE_BYTES) throw tooLarge();
    if (source.offset >= MAX_FILE_BYTES) return 0;
    const { writer } = from.file;
    await writer.flush();
    if (writer.failure !== undefined) throw writer.failure;
    await from.file.getattr();
    // Where the source ends now, since a copy within one file may move its end.
    const sourceBytes = from.file.sizeBytes - source.offset;
    const wantedBytes = Math.min(lengthBytes, sourceBytes, MAX_FILE_BYTES - target.offset);
    if (wantedBytes <= 0) return 0;
    let copiedBytes = 0;
    try {
      await to.file.changeContent(() =>
        inSteps(wantedBytes, async (doneBytes) => {
          const reply = await this.#services.meta.copyRange({
            source: from.file.ino,
            sourceOffset: source.offset + doneBytes,
            target: to.file.ino,
            targetOffset: target.offset + doneBytes,
            lengthBytes: wantedBytes - doneBytes,
            killPrivileges: caller.uid !== 0,
          });
          copiedBytes = doneBytes + reply.doneBytes;
          return reply;
        }),
      );
    } catch (error) {
      if (copiedBytes === 0) throw error;
    }
    if (to.syncWrites) await to.file.writer.sync();
    return copiedBytes;
  }

  #writable(fh: FileHandle): OpenHandle {
    const handle = this.#handles.file(fh);
    if (!handle.writable) throw new FsError("EBADF", `handle ${fh} is not open for writing`);
    return handle;
  }

  /** Nothing is reserved, but what can't fit even now is refused. */
  async #requireSpace({ file }: OpenHandle, lengthBytes: number): Promise<void> {
    const neededBytes = lengthBytes - file.beliefs.attr.allocatedBytes;
    if (neededBytes <= 0) return;
    const { totalBytes, freeBytes } = await this.#services.meta.statfs();
    if (totalBytes > 0 && neededBytes > freeBytes) {
      throw new FsError("ENOSPC", `${neededBytes} bytes don't fit in the ${freeBytes} left`);
    }
  }
}

/** Repeats `step`, told how much is done, until all is or a step does nothing. */
async function inSteps(
  lengthBytes: number,
  step: (doneBytes: number) => Promise<RangeReply>,
): Promise<Attr> {
  for (let done = 0; ;) {
    const { attr, doneBytes } = await step(done);
    done += doneBytes;
    if (doneBytes === 0 || done >= lengthBytes) return attr;
  }
}

/** Where the data that `offset` may lie in ends. */
async function endOfData(
  offset: number,
  dirty: readonly Range[],
  first: DataRun,
  ask: (from: number) => Promise<DataRun>,
): Promise<number> {
  let at = offset;
  let committed = first;
  for (;;) {
    const before = at;
    for (const { from, to } of dirty) if (from <= at && to > at) at = to;
    if (committed.to <= at && at < committed.sizeBytes) committed = await ask(at);
    if (committed.from <= at && committed.to > at) at = committed.to;
    if (at === before) return at;
  }
}

/** @throws FsError EOPNOTSUPP */
function requireKnownMode(mode: number): { clear: boolean; keepSize: boolean } {
  const keepSize = (mode & FALLOC_KEEP_SIZE) !== 0;
  const punch = (mode & FALLOC_PUNCH_HOLE) !== 0;
  const zero = (mode & FALLOC_ZERO_RANGE) !== 0;
  const known = FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE | FALLOC_ZERO_RANGE;
  if ((mode & ~known) !== 0 || (punch && (zero || !keepSize))) {
    throw new FsError("EOPNOTSUPP", `fallocate mode ${mode} is not supported`);
  }
  return { clear: punch || zero, keepSize };
}

function tooLarge(): FsError {
  return new FsError("EFBIG", `a file holds at most ${MAX_FILE_BYTES} bytes`);
}

function beyond(offset: number): FsError {
  return new FsError("ENXIO", `no data at or after ${offset}`);
}
