// The promises of Vfs about names, links, renames and listings.
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../domain/attributes.ts";
import { ROOT_INO } from "../../domain/ids.ts";
import { toName as n } from "../../domain/name.ts";
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from "../../protocol/meta/meta-service.ts";
import { O_CREAT, O_EXCL, O_RDWR } from "../../vfs/vfs.ts";
import { fails, FILE, root, type VfsPromises } from "./vfs-world.ts";

const BOTH = RENAME_EXCHANGE | RENAME_NOREPLACE;

export const NAME_PROMISES: VfsPromises = {
  "what is made is found by its name, of its type and mode": async (t, world, vfs) => {
    const made = {
      d: await vfs.mkdir(root, ROOT_INO, n("d"), 0o751),
      f: await vfs.mknod(root, ROOT_INO, n("f"), S_IFREG | 0o640, 0),
      s: await vfs.symlink(root, ROOT_INO, n("s"), "to/x"),
      c: (await world.file("c")).attr,
    };
    for (const [name, { ino, mode }] of Object.entries(made)) {
      const found = await vfs.lookup(root, ROOT_INO, n(name));
      t.is(found.ino, ino);
      t.is(found.mode, mode);
    }
    t.is(made.d.mode, S_IFDIR | 0o751);
    t.is(made.f.mode, S_IFREG | 0o640);
    t.is(made.s.mode & S_IFMT, S_IFLNK);
    t.is(made.s.sizeBytes, 4);
    t.is(await vfs.readlink(root, made.s.ino), "to/x");
    await fails(t, "EINVAL", () => vfs.readlink(root, made.f.ino));
    t.deepEqual(await world.names(), ["c", "d", "f", "s"]);
  },

  "the umask is taken off, but for a symlink": async (t, _world, vfs) => {
    const careful = { ...root, umask: 0o027 };
    const { mode } = await vfs.mkdir(careful, ROOT_INO, n("d"), 0o777);
    t.is(mode & 0o7777, 0o750);
    const { attr } = await vfs.create(careful, ROOT_INO, n("f"), S_IFREG | 0o666, O_RDWR | O_CREAT);
    t.is(attr.mode & 0o7777, 0o640);
    t.is((await vfs.symlink(careful, ROOT_INO, n("s"), "x")).mode & 0o777, 0o777);
  },

  "a setgid directory hands its group on, and to directories its bit": async (t, world, vfs) => {
    const parent = await world.directory("d");
    await vfs.setattr(root, parent, { gid: 77, mode: 0o2755 });
    const file = await vfs.mknod(root, parent, n("f"), FILE, 0);
    const below = await vfs.mkdir(root, parent, n("sub"), 0o755);
    t.like(file, { gid: 77, mode: FILE });
    t.like(below, { gid: 77, mode: S_IFDIR | 0o2755 });
  },

  "a name that is taken is EEXIST to whoever would make it": async (t, world, vfs) => {
    const { ino } = (await world.file("a")).attr;
    await world.directory("taken");
    const taken = n("taken");
    await fails(t, "EEXIST", () => vfs.mkdir(root, ROOT_INO, taken, 0o755));
    await fails(t, "EEXIST", () => vfs.mknod(root, ROOT_INO, taken, FILE, 0));
    await fails(t, "EEXIST", () => vfs.symlink(root, ROOT_INO, taken, "x"));
    await fails(t, "EEXIST", () => vfs.link(root, ino, ROOT_INO, taken));
    const flags = O_RDWR | O_CREAT | O_EXCL;
    await fails(t, "EEXIST", () => vfs.create(root, ROOT_INO, n("a"), FILE, flags));
  },

  "create without O_EXCL opens the file that is there, no directory": async (t, world, vfs) => {
    const { fh, attr } = await world.file("a", "kept");
    await vfs.flush(fh);
    const again = await vfs.create(root, ROOT_INO, n("a"), FILE, O_RDWR | O_CREAT);
    t.is(again.attr.ino, attr.ino);
    t.is(await world.text(again.fh), "kept");
    await world.directory("d");
    const over = (): unknown => vfs.create(root, ROOT_INO, n("d"), FILE, O_RDWR | O_CREAT);
    await fails(t, "EISDIR", over);
  },

  "a name that isn't there is ENOENT, one below a file ENOTDIR": async (t, world, vfs) => {
    const none = n("none");
    await fails(t, "ENOENT", () => vfs.lookup(root, ROOT_INO, none));
    await fails(t, "ENOENT", () => vfs.unlink(root, ROOT_INO, none));
    await fails(t, "ENOENT", () => vfs.rmdir(root, ROOT_INO, none));
    await fails(t, "ENOENT", () => vfs.rename(root, ROOT_INO, none, ROOT_INO, n("x"), 0));
    const { ino } = (await world.file("f")).attr;
    await fails(t, "ENOTDIR", () => vfs.lookup(root, ino, none));
    await fails(t, "ENOTDIR", () => vfs.mkdir(root, ino, none, 0o755));
    await fails(t, "ENOTDIR", () => vfs.unlink(root, ino, none));
    await fails(t, "ENOTDIR", () => vfs.opendir(root, ino));
  },

  "unlink takes no directory, rmdir only an empty one": async (t, world, vfs) => {
    const d = await world.directory("d");
    await world.file("f", "", d);
    await fails(t, "EISDIR", () => vfs.unlink(root, ROOT_INO, n("d")));
    await fails(t, "ENOTEMPTY", () => vfs.rmdir(root, ROOT_INO, n("d")));
    await fails(t, "ENOTDIR", () => vfs.rmdir(root, d, n("f")));
    await vfs.unlink(root, d, n("f"));
    await vfs.rmdir(root, ROOT_INO, n("d"));
    t.deepEqual(await world.names(), []);
  },

  "a directory's links are its own two and those of its directories": async (t, world, vfs) => {
    const d = await world.directory("d");
    t.is(await world.nlink(d), 2);
    await world.directory("a", d);
    await world.directory("b", d);
    await world.file("f", "", d);
    t.is(await world.nlink(d), 4);
    await vfs.rmdir(root, d, n("a"));
    await vfs.rename(root, d, n("b"), ROOT_INO, n("b"), 0);
    t.is(await world.nlink(d), 2);
  },

  "a link is one more name of the same file, until the last one goes": async (t, world, vfs) => {
    const { fh, attr } = await world.file("a", "text");
    await vfs.release(fh);
    const linked = await vfs.link(root, attr.ino, ROOT_INO, n("b"));
    t.like(linked, { ino: attr.ino, nlink: 2 });
    await vfs.unlink(root, ROOT_INO, n("a"));
    t.is(await world.nlink(attr.ino), 1);
    t.is(await world.ino("b"), attr.ino);
    await vfs.unlink(root, ROOT_INO, n("b"));
    await fails(t, "ENOENT", () => vfs.lookup(root, ROOT_INO, n("b")));
    const d = await world.directory("d");
    await fails(t, "EPERM", () => vfs.link(root, d, ROOT_INO, n("e")));
  },

  "a file without a name has no links until it is linked": async (t, world, vfs) => {
    const { fh, attr } = await vfs.createUnnamed(root, ROOT_INO, FILE, O_RDWR);
    t.is(attr.nlink, 0);
    await world.put(fh, "unseen");
    t.deepEqual(await world.names(), []);
    t.like(await vfs.link(root, attr.ino, ROOT_INO, n("seen")), { ino: attr.ino, nlink: 1 });
    await vfs.release(fh);
    const again = await vfs.open(root, await world.ino("seen"), O_RDWR);
    t.is(await world.text(again.fh), "unseen");
  },

  "an open file lives on without its name": async (t, world, vfs) => {
    const { fh, attr } = await world.file("a", "text");
    await vfs.unlink(root, ROOT_INO, n("a"));
    t.is((await vfs.getattr(root, attr.ino, fh)).nlink, 0);
    await world.put(fh, "more", 4);
    t.is(await world.text(fh), "textmore");
    await world.file("a", "another");
    t.is(await world.text(fh), "textmore");
    await vfs.release(fh);
    t.deepEqual(await world.names(), ["a"]);
  },

  "rename moves a name, over another one as well": async (t, world, vfs) => {
    const d = await world.directory("d");
    const { ino } = (await world.file("a", "a")).attr;
    await vfs.rename(root, ROOT_INO, n("a"), d, n("b"), 0);
    t.is(await world.ino("b", d), ino);
    const { attr, fh } = await world.file("c", "c");
    await vfs.rename(root, ROOT_INO, n("c"), d, n("b"), 0);
    t.is(await world.ino("b", d), attr.ino);
    t.is(await world.text(fh), "c");
    t.deepEqual(await world.names(d), ["b"]);
    await vfs.rename(root, d, n("b"), d, n("b"), 0);
    t.deepEqual(await world.names(d), ["b"]);
  },

  "rename between two names of one file leaves both": async (t, world, vfs) => {
    const { ino } = (await world.file("a")).attr;
    await vfs.link(root, ino, ROOT_INO, n("b"));
    await vfs.rename(root, ROOT_INO, n("a"), ROOT_INO, n("b"), 0);
    t.deepEqual(await world.names(), ["a", "b"]);
    t.is(await world.nlink(ino), 2);
  },

  "rename puts like over like, a directory over an empty one": async (t, world, vfs) => {
    const full = await world.directory("full");
    await world.file("f", "", full);
    const moved = await world.directory("moved");
    await world.directory("empty");
    await world.file("file");
    const put = (name: string, over: string) => (): unknown =>
      vfs.rename(root, ROOT_INO, n(name), ROOT_INO, n(over), 0);
    await fails(t, "ENOTEMPTY", put("moved", "full"));
    await fails(t, "ENOTDIR", put("moved", "file"));
    await fails(t, "EISDIR", put("file", "moved"));
    await put("moved", "empty")();
    t.is(await world.ino("empty"), moved);
    t.deepEqual(await world.names(), ["empty", "file", "full"]);
  },

  "no directory is moved below itself; a moved one's .. is the new place": async (
    t,
    world,
    vfs,
  ) => {
    const a = await world.directory("a");
    const b = await world.directory("b", a);
    const c = await world.directory("c");
    await fails(t, "EINVAL", () => vfs.rename(root, ROOT_INO, n("a"), b, n("x"), 0));
    await fails(t, "EINVAL", () => vfs.rename(root, ROOT_INO, n("a"), a, n("x"), 0));
    await vfs.rename(root, a, n("b"), c, n("b"), 0);
    const dots = (await world.list(b)).filter(({ name }) => name === "..");
    t.deepEqual(
      dots.map(({ ino }) => ino),
      [c],
    );
  },

  "RENAME_NOREPLACE replaces nothing, RENAME_EXCHANGE swaps": async (t, world, vfs) => {
    const a = await world.directory("a");
    const { ino } = (await world.file("f")).attr;
    const rename = (to: string, flags: number): unknown =>
      vfs.rename(root, ROOT_INO, n("f"), ROOT_INO, n(to), flags);
    await fails(t, "EEXIST", () => rename("a", RENAME_NOREPLACE));
    await fails(t, "ENOENT", () => rename("none", RENAME_EXCHANGE));
    await fails(t, "EINVAL", () => rename("a", BOTH));
    await rename("a", RENAME_EXCHANGE);
    t.is(await world.ino("a"), ino);
    t.is(await world.ino("f"), a);
    await vfs.rename(root, ROOT_INO, n("a"), ROOT_INO, n("g"), RENAME_NOREPLACE);
    t.deepEqual(await world.names(), ["f", "g"]);
  },

  "a listing has every name once, the dots first, under cookies that tell them apart": async (
    t,
    world,
  ) => {
    const d = await world.directory("d");
    const wanted = new Map<string, number>();
    for (let i = 0; i < 20; i++) {
      wanted.set(`f${i}`, (await world.file(`f${i}`, "", d)).attr.ino);
    }
    const all = await world.list(d, true);
    t.deepEqual(
      all.slice(0, 2).map(({ name, ino }) => [name, ino]),
      [
        [".", d],
        ["..", ROOT_INO],
      ],
    );
    t.is(new Set(all.map(({ cookie }) => cookie)).size, 22);
    t.deepEqual(new Map(all.slice(2).map(({ name, ino }) => [name, ino])), wanted);
    t.true(all.slice(2).every(({ attr, ino, mode }) => attr?.ino === ino && attr.mode === mode));
  },

  "a listing goes on where it was while names come and go": async (t, world, vfs) => {
    const d = await world.directory("d");
    for (let i = 0; i < 20; i++) await world.file(`f${i}`, "", d);
    const fh = await vfs.opendir(root, d);
    const seen: string[] = [];
    let cursor = 0;
    for (;;) {
      const page = await vfs.readdir(fh, cursor, false);
      // As a program with a small buffer: one entry at a time, each removed once it was seen.
      const [entry] = page;
      if (entry === undefined) break;
      cursor = entry.cookie;
      if (entry.name === "." || entry.name === "..") continue;
      seen.push(entry.name);
      await vfs.unlink(root, d, entry.name);
    }
    vfs.releasedir(fh);
    t.is(new Set(seen).size, seen.length);
    t.is(seen.length, 20);
    t.deepEqual(await world.names(d), []);
  },
};
