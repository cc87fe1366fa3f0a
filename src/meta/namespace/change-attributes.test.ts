import test from "ava";
import { ROOT_CALLER, S_ISGID, type AttrChanges, type Caller } from "../../domain/attributes.ts";
import { ROOT_INO, type Ino, type Name } from "../../domain/ids.ts";
import {
  namespaceCalls,
  OTHER_SESSION,
  SESSION,
  TestNamespace,
} from "../../testing/engine/engine-namespace.ts";
import { MemoryEngine } from "../engine/memory-engine.ts";
import { present } from "../../testing/present.ts";
import { formatNamespace, usageOf } from "./inodes.ts";
import { closeSessionOpens } from "./open-inodes.ts";
import { tombstones } from "./tombstones.ts";

const ann: Caller = { uid: 100, gid: 10, groups: [20] };
const n = (name: string): Name => name as Name;

async function fresh(): Promise<TestNamespace> {
  return TestNamespace.on(new MemoryEngine());
}

async function modeAfter(
  mode: number,
  changes: AttrChanges,
  { caller = ROOT_CALLER, owner = ann }: { caller?: Caller; owner?: Caller } = {},
): Promise<string> {
  const fs = await fresh();
  const { ino } = await fs.file("f");
  await fs.do((ns, tx) => {
    ns.setattr(tx, ROOT_CALLER, ino, { uid: owner.uid, gid: owner.gid }, false);
    ns.setattr(tx, ROOT_CALLER, ino, { mode }, false);
  });
  const attr = await fs.do((ns, tx) => ns.setattr(tx, caller, ino, changes, false));
  return (attr.mode & 0o7777).toString(8);
}

test("chown, others' truncate and killPrivileges clear suid, and executable sgid", async (t) => {
  t.is(await modeAfter(0o6755, { uid: 5 }), "755");
  t.is(await modeAfter(0o6745, { gid: 20 }, { caller: ann }), "2745");
  t.is(await modeAfter(0o6755, { sizeBytes: 0 }, { caller: ann }), "755");
  t.is(await modeAfter(0o6755, { sizeBytes: 0 }), "6755");
  t.is(await modeAfter(0o6755, { killPrivileges: true }), "755");
  t.is(await modeAfter(0o755, { uid: 5, mode: 0o4755 }), "4755");
});

test("someone outside the group can't set sgid", async (t) => {
  t.is(await modeAfter(0o755, { mode: 0o2755 }, { caller: ann }), "2755");
  const loner = { uid: 100, gid: 99 };
  t.is(await modeAfter(0o755, { mode: 0o2755 }, { caller: loner }), "755");
});

test("a setgid directory hands on its group, and to directories the bit", async (t) => {
  const fs = await fresh();
  const { ino: parent } = await fs.directory("d", { mode: 0o2777 });
  await fs.do((ns, tx) => ns.setattr(tx, ROOT_CALLER, parent, { gid: 77, mode: 0o2777 }, false));
  const file = await fs.file("f", { parent, caller: ann });
  const directory = await fs.directory("s", { parent, caller: ann });
  t.is(file.gid, 77);
  t.is(file.mode & S_ISGID, 0);
  t.is(directory.gid, 77);
  t.is(directory.mode & S_ISGID, S_ISGID);
  const foreign = await fs.file("x", { parent, caller: ann, mode: 0o2775 });
  t.is(foreign.mode & 0o7777, 0o775);
});

test("changes of entries set the times of directories, and ctime of what is linked", async (t) => {
  const fs = await fresh();
  const ctimes = async (ino: Ino): Promise<[number, number]> => {
    const attr = await fs.see((ns, tx) => ns.getattr(tx, ino));
    return [attr.mtimeSec, attr.ctimeSec];
  };
  const start = Math.floor(fs.clock.nowMs() / 1000);
  const { ino: a } = await fs.directory("a");
  const { ino: b } = await fs.directory("b");
  const { ino: file } = await fs.file("f", { parent: a });
  await fs.clock.advance(10_000);
  await fs.do((ns, tx) => ns.rename(tx, ROOT_CALLER, a, n("f"), b, n("g"), 0));
  t.deepEqual(await ctimes(a), [start + 10, start + 10]);
  t.deepEqual(await ctimes(b), [start + 10, start + 10]);
  t.deepEqual(await ctimes(file), [start, start + 10]);
  await fs.clock.advance(10_000);
  await fs.do((ns, tx) => ns.link(tx, ROOT_CALLER, file, a, n("h")));
  t.deepEqual(await ctimes(file), [start, start + 20]);
  t.deepEqual(await ctimes(a), [start + 20, start + 20]);
  t.deepEqual(await ctimes(b), [start + 10, start + 10]);
  await fs.clock.advance(10_000);
  await fs.do((ns, tx) => ns.unlink(tx, ROOT_CALLER, b, n("g")));
  t.deepEqual(await ctimes(b), [start + 30, start + 30]);
  t.deepEqual(await ctimes(file), [start, start + 30]);
});

test("directories count their subdirectories, through renames and exchanges", async (t) => {
  const fs = await fresh();
  const nlink = (ino: Ino): Promise<number> => fs.see((ns, tx) => ns.getattr(tx, ino).nlink);
  const { ino: a } = await fs.directory("a");
  const { ino: b } = await fs.directory("b");
  const { ino: s } = await fs.directory("s", { parent: a });
  await fs.file("f", { parent: b });
  t.deepEqual([await nlink(ROOT_INO), await nlink(a), await nlink(b)], [4, 3, 2]);
  await fs.do((ns, tx) => ns.rename(tx, ROOT_CALLER, a, n("s"), b, n("f"), 2));
  t.deepEqual([await nlink(a), await nlink(b)], [2, 3]);
  t.is(await fs.see((ns, tx) => ns.readdir(tx, ROOT_CALLER, s, 0, 1, false).parent), b);
  await fs.do((ns, tx) => ns.unlink(tx, ROOT_CALLER, a, n("s")));
  await fs.do((ns, tx) => ns.rename(tx, ROOT_CALLER, b, n("f"), ROOT_INO, n("a"), 0));
  t.deepEqual([await nlink(ROOT_INO), await nlink(b)], [4, 2]);
  t.is(await fs.errno((ns, tx) => ns.getattr(tx, a)), "ENOENT");
  t.deepEqual(await fs.broken(), []);
});

test("an unlinked file lives until every session has released it, or is closed", async (t) => {
  const fs = await fresh();
  const other = OTHER_SESSION;
  const { attr } = await fs.create("f");
  await fs.commit(attr.ino, [fs.extent(0, 4096)], 4096);
  const read = { read: true, write: false, truncate: false };
  await fs.do((ns, tx) => ns.open(tx, ann, attr.ino, read));
  await fs.do((_ns, tx) =>
    namespaceCalls({ ...fs.scope, session: other }).open(tx, ann, attr.ino, read),
  );
  await fs.do((ns, tx) => ns.unlink(tx, ROOT_CALLER, ROOT_INO, n("f")));
  t.is(await fs.errno((ns, tx) => ns.lookup(tx, ann, ROOT_INO, n("f"))), "ENOENT");
  t.is(await fs.errno((ns, tx) => ns.link(tx, ROOT_CALLER, attr.ino, ROOT_INO, n("g"))), "ENOENT");
  await fs.do((ns, tx) => ns.release(tx, [attr.ino, attr.ino]));
  t.is((await fs.see((ns, tx) => ns.getattr(tx, attr.ino))).nlink, 0);
  t.is(present((await fs.see((ns, tx) => ns.extents(tx, attr.ino, [0])))[0]).extents.length, 1);
  t.deepEqual(await fs.broken(), []);
  t.true(await fs.do((_ns, tx) => closeSessionOpens(tx, other)));
  t.is(await fs.errno((ns, tx) => ns.getattr(tx, attr.ino)), "ENOENT");
  t.is((await fs.see((_ns, tx) => tombstones(tx, 0, 1e9, 10))).length, 1);
  t.deepEqual(await fs.see((_ns, tx) => usageOf(tx)), { inodes: 1, bytes: 0 });
  t.deepEqual(await fs.broken(), []);
});

test("closing a session that holds many files takes several bounded steps", async (t) => {
  const fs = await fresh();
  await fs.do((ns, tx) => {
    for (let index = 0; index < 600; index += 1) {
      const name = n(`f${index}`);
      ns.create(tx, ROOT_CALLER, ROOT_INO, name, { mode: 0o644 }, true);
      if (index % 2 === 0) ns.unlink(tx, ROOT_CALLER, ROOT_INO, name);
    }
  });
  let steps = 1;
  while (!(await fs.do((_ns, tx) => closeSessionOpens(tx, SESSION)))) steps += 1;
  t.is(steps, 3);
  t.is((await fs.see((_ns, tx) => usageOf(tx))).inodes, 301);
  t.deepEqual(await fs.broken(), []);
});

test("formatting again changes nothing", async (t) => {
  const fs = await fresh();
  await fs.file("f");
  await fs.clock.advance(5000);
  const before = await fs.see((ns, tx) => ns.getattr(tx, ROOT_INO));
  await fs.do((_ns, tx) => formatNamespace(tx, fs.clock.now()));
  t.deepEqual(await fs.see((ns, tx) => ns.getattr(tx, ROOT_INO)), before);
  t.is(before.mode & 0o7777, 0o755);
  t.is((await fs.see((_ns, tx) => usageOf(tx))).inodes, 2);
});
