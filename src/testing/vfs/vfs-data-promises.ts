// The promises of Vfs about attributes, bytes of files, ranges and extended attributes.
import { S_IFDIR, S_IFREG } from "../../domain/attributes.ts";
import { ROOT_INO } from "../../domain/ids.ts";
import { MAX_FILE_BYTES } from "../../domain/limits.ts";
import {
  FALLOC_KEEP_SIZE,
  FALLOC_PUNCH_HOLE,
  FALLOC_ZERO_RANGE,
  O_RDWR,
  O_TRUNC,
} from "../../vfs/vfs.ts";
import { fails, root, type VfsPromises } from "./vfs-world.ts";

const O_RDONLY = 0;
const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;

export const DATA_PROMISES: VfsPromises = {
  "attributes change as they are set, the type never, the rest stays": async (t, world, vfs) => {
    const d = await world.directory("d");
    const times = { atime: { sec: -5, nsec: 7 }, mtime: { sec: 1_000_000_000, nsec: 999_999_999 } };
    const changed = await vfs.setattr(root, d, { mode: 0o1711, uid: 5, gid: 6, ...times });
    const expected = {
      ...{ ino: d, mode: S_IFDIR | 0o1711, uid: 5, gid: 6, nlink: 2 },
      ...{ atimeSec: -5, atimeNsec: 7, mtimeSec: 1_000_000_000, mtimeNsec: 999_999_999 },
    };
    t.like(changed, expected);
    t.like(await vfs.getattr(root, d), expected);
    await vfs.setattr(root, d, { uid: 8 });
    t.like(await vfs.getattr(root, d), { ...expected, uid: 8 });
    const { mtimeSec } = await vfs.setattr(root, d, { mtime: "now" });
    t.not(mtimeSec, 1_000_000_000);
  },

  "a size is set for files alone, and not beyond the largest": async (t, world, vfs) => {
    const d = await world.directory("d");
    const { attr, fh } = await world.file("f");
    await fails(t, "EISDIR", () => vfs.setattr(root, d, { sizeBytes: 0 }));
    const larger = { sizeBytes: MAX_FILE_BYTES + 1 };
    await fails(t, "EFBIG", () => vfs.setattr(root, attr.ino, larger));
    await fails(t, "EFBIG", () => vfs.write(fh, MAX_FILE_BYTES, Buffer.alloc(1), false));
    const { sizeBytes } = await vfs.setattr(root, attr.ino, { sizeBytes: MAX_FILE_BYTES });
    t.is(sizeBytes, MAX_FILE_BYTES);
  },

  "privileges go where it is asked for, with a write as well": async (t, world, vfs) => {
    const { attr, fh } = await world.file("f");
    const modeOf = async (): Promise<number> => (await vfs.getattr(root, attr.ino)).mode;
    await vfs.setattr(root, attr.ino, { mode: 0o6755 });
    t.is(await modeOf(), S_IFREG | 0o6755);
    await vfs.write(fh, 0, Buffer.from("x"), true);
    await vfs.flush(fh);
    t.is(await modeOf(), S_IFREG | 0o755);
    await vfs.setattr(root, attr.ino, { mode: 0o4755 });
    await vfs.setattr(root, attr.ino, { uid: 5, killPrivileges: true });
    t.is(await modeOf(), S_IFREG | 0o755);
  },

  "what was written is read, through every handle, up to the end": async (t, world, vfs) => {
    const { fh, attr } = await world.file("f", "0123456789");
    const other = await vfs.open(root, attr.ino, O_RDONLY);
    await world.put(fh, "ab", 4);
    for (const handle of [fh, other.fh]) {
      t.is(await world.text(handle), "0123ab6789");
      t.is(await world.text(handle, 3, 4), "3ab6");
      t.is(await world.text(handle, 8, 100), "89");
      t.is(await world.text(handle, 10), "");
      t.is(await world.text(handle, 1000), "");
    }
    t.is((await vfs.getattr(root, attr.ino)).sizeBytes, 10);
    await vfs.fsync(fh, false);
    await vfs.release(fh);
    await vfs.release(other.fh);
    const again = await vfs.open(root, attr.ino, O_RDONLY);
    t.is(again.attr.sizeBytes, 10);
    t.is(await world.text(again.fh), "0123ab6789");
  },

  "the buffer of a write is the caller's again afterwards": async (t, world, vfs) => {
    const { fh } = await world.file("f");
    const buffer = Buffer.from("first");
    t.is(await vfs.write(fh, 0, buffer, false), 5);
    buffer.fill("x");
    t.is(await world.text(fh), "first");
  },

  "a gap reads as zeroes, and so does what was cut off and grown again": async (t, world, vfs) => {
    const { fh, attr } = await world.file("f", "begin");
    await world.put(fh, "end", 9000);
    t.is(await world.text(fh, 0, 8), "begin\0\0\0");
    t.is(await world.text(fh, 8998), "\0\0end");
    t.is((await vfs.getattr(root, attr.ino)).sizeBytes, 9003);
    t.is((await vfs.setattr(root, attr.ino, { sizeBytes: 3 }, fh)).sizeBytes, 3);
    t.is(await world.text(fh), "beg");
    await vfs.setattr(root, attr.ino, { sizeBytes: 6 }, fh);
    t.is(await world.text(fh), "beg\0\0\0");
    await world.put(fh, "X", 7);
    t.is(await world.text(fh), "beg\0\0\0\0X");
  },

  "O_TRUNC empties the file": async (t, world, vfs) => {
    const { fh, attr } = await world.file("f", "text");
    const { attr: emptied } = await vfs.open(root, attr.ino, O_RDWR | O_TRUNC);
    t.is(emptied.sizeBytes, 0);
    t.is(await world.text(fh), "");
  },

  "a handle opened to read writes nothing, one that is released does nothing": async (
    t,
    world,
    vfs,
  ) => {
    const { fh, attr } = await world.file("f", "text");
    const reading = await vfs.open(root, attr.ino, O_RDONLY);
    await fails(t, "EBADF", () => vfs.write(reading.fh, 0, Buffer.from("x"), false));
    await vfs.release(fh);
    await fails(t, "EBADF", () => vfs.read(fh, 0, 1));
    await fails(t, "EBADF", () => vfs.write(fh, 0, Buffer.from("x"), false));
    await fails(t, "EBADF", () => vfs.flush(fh));
    await fails(t, "EBADF", () => vfs.fsync(fh, false));
    const directory = await vfs.opendir(root, ROOT_INO);
    vfs.releasedir(directory);
    await fails(t, "EBADF", () => vfs.readdir(directory, 0, false));
  },

  "fallocate grows a file or not, and clears ranges": async (t, world, vfs) => {
    const { fh, attr } = await world.file("f", "0123456789");
    const sizeOf = async (): Promise<number> => (await vfs.getattr(root, attr.ino)).sizeBytes;
    await vfs.fallocate(root, fh, FALLOC_KEEP_SIZE, 0, 100);
    t.is(await sizeOf(), 10);
    await vfs.fallocate(root, fh, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, 2, 3);
    await vfs.fallocate(root, fh, FALLOC_ZERO_RANGE | FALLOC_KEEP_SIZE, 8, 10);
    t.is(await world.text(fh), "01\0\0\x00567\0\0");
    await vfs.fallocate(root, fh, 0, 5, 10);
    t.is(await sizeOf(), 15);
    t.is(await world.text(fh, 5), "567\0\0\0\0\0\0\0");
    await fails(t, "EOPNOTSUPP", () => vfs.fallocate(root, fh, 0x40, 0, 10));
  },

  "seek finds data where there is any, and the end behind all": async (t, world, vfs) => {
    const { fh } = await world.file("f", "0123456789");
    t.is(await vfs.seek(fh, 3, "data"), 3);
    t.is(await vfs.seek(fh, 3, "hole"), 10);
    await fails(t, "ENXIO", () => vfs.seek(fh, 10, "data"));
    await fails(t, "ENXIO", () => vfs.seek(fh, 10, "hole"));
  },

  "copyRange copies up to the source's end, and grows the target": async (t, world, vfs) => {
    const source = await world.file("s", "0123456789");
    const target = await world.file("t", "abc");
    const from = { fh: source.fh, offset: 4 };
    t.is(await vfs.copyRange(root, from, { fh: target.fh, offset: 1 }, 3), 3);
    t.is(await world.text(target.fh), "a456");
    t.is(await vfs.copyRange(root, from, { fh: target.fh, offset: 6 }, 100), 6);
    t.is(await world.text(target.fh), "a456\0\x00456789");
    t.is(await world.text(source.fh), "0123456789");
    const end = { fh: source.fh, offset: 10 };
    t.is(await vfs.copyRange(root, end, { fh: target.fh, offset: 0 }, 10), 0);
  },

  "xattrs are kept byte by byte, made or replaced as the flags say": async (t, world, vfs) => {
    const { ino } = (await world.file("f")).attr;
    const get = async (name: string): Promise<number[]> => [
      ...(await vfs.getxattr(root, ino, name)),
    ];
    const set = (name: string, bytes: readonly number[], flags = 0): unknown =>
      vfs.setxattr(root, ino, name, Uint8Array.from(bytes), flags);
    t.deepEqual(await vfs.listxattr(root, ino), []);
    await fails(t, "ENODATA", () => vfs.getxattr(root, ino, "user.a"));
    await fails(t, "ENODATA", () => set("user.a", [1], XATTR_REPLACE));
    await set("user.a", [0, 255, 10], XATTR_CREATE);
    await set("user.b", []);
    t.deepEqual(await get("user.a"), [0, 255, 10]);
    t.deepEqual(await get("user.b"), []);
    await fails(t, "EEXIST", () => set("user.a", [1], XATTR_CREATE));
    await set("user.a", [2], XATTR_REPLACE);
    t.deepEqual(await get("user.a"), [2]);
    t.deepEqual([...(await vfs.listxattr(root, ino))].sort(), ["user.a", "user.b"]);
    await vfs.removexattr(root, ino, "user.a");
    await fails(t, "ENODATA", () => vfs.removexattr(root, ino, "user.a"));
    t.deepEqual(await vfs.listxattr(root, ino), ["user.b"]);
  },

  "all can be made durable, and no more is free than there is": async (t, world, vfs) => {
    await world.file("f", "text");
    await vfs.syncfs();
    const fh = await vfs.opendir(root, ROOT_INO);
    await vfs.fsyncdir(fh);
    vfs.releasedir(fh);
    const { totalBytes, freeBytes, inodes } = await vfs.statfs();
    t.true(freeBytes <= totalBytes);
    t.is(inodes, 2);
  },
};
