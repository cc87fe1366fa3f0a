// A request as it lies in its slot: header fields, numbers, names and data, read in place.
import type { Caller, Timespec } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import type { Ino, Name } from "../../domain/ids.ts";
import { toName } from "../../domain/name.ts";
import { IN_HEADER_BYTES } from "./wire.ts";

const TWO_32 = 2 ** 32;

/**
 * A cursor over the pool, moved from request to request. Offsets are counted from the body's start.
 */
export class Frame {
  readonly #view: DataView;
  readonly #bytes: Buffer;
  #start = 0;
  #body = 0;
  #end = 0;
  #caller: Caller = { uid: 0, gid: 0 };

  constructor(pool: ArrayBuffer) {
    this.#view = new DataView(pool);
    this.#bytes = Buffer.from(pool);
  }

  /** @throws FsError EIO when the header doesn't agree with what was read. */
  moveTo(start: number, lengthBytes: number): void {
    this.#start = start;
    this.#body = start + IN_HEADER_BYTES;
    this.#end = start + lengthBytes;
    if (lengthBytes < IN_HEADER_BYTES || this.#view.getUint32(start, true) !== lengthBytes) {
      throw new FsError("EIO", `malformed request of ${lengthBytes} bytes`);
    }
  }

  get opcode(): number {
    return this.#view.getUint32(this.#start + 4, true);
  }

  /** The request's identity is 64 bits; replies copy the halves. */
  get uniqueLow(): number {
    return this.#view.getUint32(this.#start + 8, true);
  }

  get uniqueHigh(): number {
    return this.#view.getUint32(this.#start + 12, true);
  }

  /** Node ids are inode numbers. */
  get ino(): Ino {
    return this.#u64At(this.#start + 16) as Ino;
  }

  get caller(): Caller {
    const uid = this.#view.getUint32(this.#start + 24, true);
    const gid = this.#view.getUint32(this.#start + 28, true);
    // Nobody asks for root's groups.
    const pid = uid === 0 ? 0 : this.pid;
    const known = this.#caller;
    // The same caller asks many times in a row: one object serves them all.
    if (known.uid === uid && known.gid === gid && (known.pid ?? 0) === pid) return known;
    this.#caller = pid === 0 ? { uid, gid } : { uid, gid, pid };
    return this.#caller;
  }

  /** The caller with the umask that stands at `offset`. */
  creator(offset: number): Caller {
    const { uid, gid, pid } = this.caller;
    const umask = this.u32(offset);
    return pid === undefined ? { uid, gid, umask } : { uid, gid, pid, umask };
  }

  /** Thread id of the caller, 0 when the kernel asks by itself. */
  get pid(): number {
    return this.#view.getUint32(this.#start + 32, true);
  }

  get bodyBytes(): number {
    return this.#end - this.#body;
  }

  u32(offset: number): number {
    return this.#view.getUint32(this.#body + offset, true);
  }

  /** Exact up to 2^53; what lies above is no valid size or identifier of ours. */
  u64(offset: number): number {
    return this.#u64At(this.#body + offset);
  }

  inoAt(offset: number): Ino {
    return this.u64(offset) as Ino;
  }

  /** Signed 64-bit seconds at `offset`, 32-bit nanoseconds at `nsecOffset`. */
  time(offset: number, nsecOffset: number): Timespec {
    const low = this.#view.getUint32(this.#body + offset, true);
    const high = this.#view.getInt32(this.#body + offset + 4, true);
    return { sec: high * TWO_32 + low, nsec: this.u32(nsecOffset) };
  }

  /**
   * The NUL-terminated bytes at `offset`, as latin1.
   * @throws FsError EIO when the NUL is missing
   */
  text(offset: number): string {
    const start = this.#body + offset;
    const nul = this.#bytes.indexOf(0, start);
    if (nul < start || nul >= this.#end) throw new FsError("EIO", "malformed request: no NUL");
    return this.#bytes.toString("latin1", start, nul);
  }

  /** @throws FsError EIO, ENAMETOOLONG, EINVAL */
  name(offset: number): Name {
    return toName(this.text(offset));
  }

  /**
   * The bytes themselves, in the slot: gone when the slot is released.
   * @throws FsError EIO when the request is shorter
   */
  data(offset: number, lengthBytes: number): Uint8Array {
    const start = this.#body + offset;
    if (start + lengthBytes > this.#end) {
      throw new FsError("EIO", `malformed request: ${lengthBytes} bytes announced, fewer came`);
    }
    return this.#bytes.subarray(start, start + lengthBytes);
  }

  #u64At(position: number): number {
    return this.#view.getUint32(position, true) + this.#view.getUint32(position + 4, true) * TWO_32;
  }
}
