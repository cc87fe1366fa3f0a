// What must hold over the whole key space between any two transactions; returns what does not.
import { isDirectory, isSymlink, S_IFMT } from "../../domain/attributes.ts";
import { ROOT_INO, type Ino, type SliceId } from "../../domain/ids.ts";
import { CHUNK_BYTES } from "../../domain/format.ts";
import type { ReadTransaction } from "../../meta/engine/engine.ts";
import { decodeDentry, decodeIndexEntry } from "../../meta/schema/directory.ts";
import { takenBelow } from "../../meta/schema/counters.ts";
import { decodeExtents } from "../../meta/schema/extents.ts";
import { decodeInode, type Inode } from "../../meta/schema/inode.ts";
import { chunkOfKey, firstNumber, keys, keysUnder, nameOfKey } from "../../meta/schema/keys.ts";
import { secondNumber } from "../../meta/schema/keys.ts";
import { decodeOpenCount } from "../../meta/schema/open-count.ts";
import { decodeReap } from "../../meta/schema/reap.ts";
import { decodeSlice } from "../../meta/schema/slice.ts";
import { decodeTotals } from "../../meta/schema/totals.ts";

interface Pair {
  key: Uint8Array;
  value: Uint8Array;
}

/** One pass over a store; each check adds what it finds wrong. */
class Checker {
  readonly wrong: string[] = [];
  readonly #tx: ReadTransaction;
  readonly #inodes = new Map<Ino, Inode>();

  constructor(tx: ReadTransaction) {
    this.#tx = tx;
    for (const { key, value } of this.#all("i")) {
      const inode = decodeInode(value);
      this.#inodes.set(inode.ino, inode);
      this.#expect(firstNumber(key) === inode.ino, `inode ${inode.ino} under a wrong key`);
    }
  }

  run(): string[] {
    this.#checkLinks();
    this.#checkOpens();
    this.#checkData();
    this.#checkXattrs();
    this.#checkTotals();
    return this.wrong;
  }

  #all(kind: string): Pair[] {
    return [...this.#tx.range(keysUnder(Buffer.from(kind)))];
  }

  #expect(holds: boolean, complaint: string): void {
    if (!holds) this.wrong.push(complaint);
  }

  #checkLinks(): void {
    const links = new Map<Ino, number>();
    const subdirectories = new Map<Ino, number>();
    const cookies = new Map<string, string>();
    for (const { key, value } of this.#all("d")) {
      const parent = firstNumber(key) as Ino;
      const name = nameOfKey(key);
      const { ino, type, cookie } = decodeDentry(value);
      const inode = this.#inodes.get(ino);
      const where = `dentry ${parent}/${name} -> ${ino}`;
      this.#expect(isDirectory(this.#inodes.get(parent)?.mode ?? 0), `${where}: no directory`);
      this.#expect((inode?.mode ?? 0) >>> 12 === type >>> 12, `${where}: no such inode`);
      cookies.set(`${parent} ${cookie}`, `${name} ${ino} ${type & S_IFMT}`);
      links.set(ino, (links.get(ino) ?? 0) + 1);
      if (inode === undefined || !isDirectory(inode.mode)) continue;
      subdirectories.set(parent, (subdirectories.get(parent) ?? 0) + 1);
      this.#expect(inode.parent === parent, `${where}: its parent is ${inode.parent}`);
    }
    for (const { key, value } of this.#all("e")) {
      const place = `${firstNumber(key)} ${secondNumber(key)}`;
      const { name, ino, type } = decodeIndexEntry(value);
      const listed = `${name} ${ino} ${type}`;
      this.#expect(cookies.get(place) === listed, `index ${place} lists ${listed}`);
      cookies.delete(place);
    }
    this.#expect(cookies.size === 0, `${cookies.size} dentries are not in the index`);
    for (const [ino, { mode, nlink, opens }] of this.#inodes) {
      const names = ino === ROOT_INO ? 1 : (links.get(ino) ?? 0);
      const expected = isDirectory(mode) ? 2 + (subdirectories.get(ino) ?? 0) : names;
      this.#expect(nlink === expected, `inode ${ino}: nlink ${nlink}, should be ${expected}`);
      this.#expect(!isDirectory(mode) || names === 1, `directory ${ino} has ${names} names`);
      this.#expect(names > 0 || opens > 0, `inode ${ino} is neither named nor open`);
      const target = this.#tx.get(keys.symlink(ino));
      this.#expect((target !== undefined) === isSymlink(mode), `inode ${ino}: symlink target`);
    }
    for (const { key } of this.#all("l")) {
      this.#expect(this.#inodes.has(firstNumber(key) as Ino), "a target without its symlink");
    }
  }

  #checkOpens(): void {
    const opens = new Map<Ino, number>();
    for (const { key, value } of this.#all("o")) {
      const ino = secondNumber(key) as Ino;
      const count = decodeOpenCount(value);
      opens.set(ino, (opens.get(ino) ?? 0) + count);
      this.#expect(count > 0 && this.#inodes.has(ino), `open of ${ino} counts ${count}`);
    }
    for (const [ino, inode] of this.#inodes) {
      this.#expect(inode.opens === (opens.get(ino) ?? 0), `inode ${ino}: opens ${inode.opens}`);
    }
  }

  #checkData(): void {
    const owners = new Map<number, Inode | undefined>();
    for (const inode of this.#inodes.values()) owners.set(inode.data, inode);
    for (const { key } of this.#all("r")) {
      const data = firstNumber(key);
      this.#expect(!owners.has(data), `data ${data} is both used and waiting to be reaped`);
      owners.set(data, undefined);
    }
    const citations = new Map<SliceId, number>();
    const allocated = new Map<number, number>();
    for (const { key, value } of this.#all("c")) {
      const data = firstNumber(key);
      const base = chunkOfKey(key) * CHUNK_BYTES;
      this.#expect(owners.has(data), `chunk of data ${data}, which is nobody's`);
      const size = owners.get(data)?.sizeBytes ?? Number.POSITIVE_INFINITY;
      let end = 0;
      for (const extent of decodeExtents(value)) {
        const { posInChunk, lengthBytes, slice } = extent;
        this.#expect(posInChunk >= end && lengthBytes > 0, `data ${data}: extents overlap`);
        end = posInChunk + lengthBytes;
        citations.set(slice, (citations.get(slice) ?? 0) + 1);
        allocated.set(data, (allocated.get(data) ?? 0) + lengthBytes);
      }
      this.#expect(base + end <= size, `data ${data}: extents beyond the end of the file`);
      this.#expect(end > 0 && end <= CHUNK_BYTES, `data ${data}: chunk ends at ${end}`);
    }
    this.#checkMarks(owners);
    for (const { ino, data, allocatedBytes } of this.#inodes.values()) {
      const sum = allocated.get(data) ?? 0;
      this.#expect(sum === allocatedBytes, `inode ${ino}: ${allocatedBytes} allocated, not ${sum}`);
    }
    this.#checkSlices(citations);
  }

  /** Whoever syncs a file must find each slice of it that isn't known to be on disk. */
  #checkMarks(owners: ReadonlyMap<number, Inode | undefined>): void {
    for (const { key, value } of this.#all("c")) {
      const ino = owners.get(firstNumber(key))?.ino;
      if (ino === undefined) continue;
      for (const { slice } of decodeExtents(value)) {
        const record = this.#tx.get(keys.slice(slice));
        if (record === undefined || decodeSlice(record).unsettled !== true) continue;
        const marked = this.#tx.get(keys.unsettled(ino, slice)) !== undefined;
        this.#expect(marked, `inode ${ino}: unsettled slice ${slice} has no mark`);
      }
    }
  }

  #checkSlices(citations: Map<SliceId, number>): void {
    const slices = this.#all("s");
    for (const { value } of slices) {
      const { packed } = decodeSlice(value);
      if (packed !== undefined) citations.set(packed.id, (citations.get(packed.id) ?? 0) + 1);
    }
    for (const { key, value } of slices) {
      const id = firstNumber(key) as SliceId;
      const { references } = decodeSlice(value);
      const cited = citations.get(id) ?? 0;
      this.#expect(references === cited, `slice ${id}: ${references} references, cited ${cited}`);
      this.#expect(this.#tx.get(keys.tombstone(id)) === undefined, `slice ${id} lives and is dead`);
      citations.delete(id);
    }
    for (const id of citations.keys()) this.wrong.push(`slice ${id} is cited but missing`);
  }

  #checkXattrs(): void {
    const reaped = new Set(this.#all("r").map(({ value }) => decodeReap(value).xattrsOf));
    const listBytes = new Map<Ino, number>();
    for (const { key } of this.#all("x")) {
      const ino = firstNumber(key) as Ino;
      listBytes.set(ino, (listBytes.get(ino) ?? 0) + nameOfKey(key).length + 1);
      this.#expect(this.#inodes.has(ino) || reaped.has(ino), `xattr of ${ino}, which is gone`);
    }
    for (const [ino, { xattrListBytes }] of this.#inodes) {
      this.#expect(xattrListBytes === (listBytes.get(ino) ?? 0), `inode ${ino}: xattr list bytes`);
    }
  }

  #checkTotals(): void {
    const { inodes, bytes } = decodeTotals(
      this.#tx.get(keys.counter("namespace")) ?? new Uint8Array(),
    );
    const reserved = takenBelow(this.#tx, "ids") ?? 0;
    let sum = 0;
    for (const { ino, allocatedBytes } of this.#inodes.values()) {
      sum += allocatedBytes;
      this.#expect(ino < reserved, `inode ${ino} is beyond the counter ${reserved}`);
    }
    this.#expect(inodes === this.#inodes.size, `usage: ${inodes} inodes of ${this.#inodes.size}`);
    this.#expect(bytes === sum, `usage: ${bytes} bytes of ${sum}`);
  }
}

/** Violations of the store's invariants, in words; none in a sound store. */
export function brokenInvariants(tx: ReadTransaction): string[] {
  return new Checker(tx).run();
}
