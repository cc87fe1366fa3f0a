import test from "ava";
import { ACL_ACCESS } from "../../domain/acl.ts";
import { ROOT_CALLER, type Caller } from "../../domain/attributes.ts";
import { FsError, type ErrnoName } from "../../domain/errno.ts";
import { ROOT_INO, type Ino, type Name } from "../../domain/ids.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { testMount } from "../../testing/vfs/vfs-mount.ts";
import type { Vfs } from "../vfs.ts";
import { CallerGroups } from "../../fuse/mounting/caller-groups.ts";
import { withCallerGroups } from "./grouped-vfs.ts";

const ann: Caller = { uid: 100, gid: 10, pid: 7 };
const n = (name: string): Name => name as Name;

/**
 * A Vfs with one file of group 20 and this mode, whose callers all are in group 20 besides their
 * own.
 */
async function fixture(
  mode: number,
): Promise<{ grouped: Vfs; plain: Vfs; ino: Ino; looks: () => number }> {
  const { vfs } = await testMount();
  const { ino } = await vfs.mknod(ROOT_CALLER, ROOT_INO, n("f"), 0o100000 | mode, 0);
  await vfs.setattr(ROOT_CALLER, ino, { gid: 20 });
  await vfs.setattr(ROOT_CALLER, ino, { mode });
  let looks = 0;
  const groups = new CallerGroups(new FakeClock(), () => {
    looks += 1;
    return Promise.resolve([20]);
  });
  return { grouped: withCallerGroups(vfs, groups), plain: vfs, ino, looks: () => looks };
}

async function errnoOf(act: () => unknown): Promise<ErrnoName | "ok"> {
  try {
    await act();
    return "ok";
  } catch (error) {
    if (error instanceof FsError) return error.code;
    throw error;
  }
}

test("who is refused is asked for groups, and let in by them", async (t) => {
  const { grouped, plain, ino, looks } = await fixture(0o660);
  t.is(await errnoOf(() => plain.open(ann, ino, 2)), "EACCES");
  t.is(await errnoOf(() => grouped.open(ann, ino, 2)), "ok");
  t.is(looks(), 1);
  t.is(await errnoOf(() => grouped.open(ann, ino, 0)), "ok");
  t.is(await errnoOf(() => grouped.setxattr(ann, ino, "user.a", Buffer.from("1"), 0)), "ok");
  t.is(looks(), 1, "what helped a moment ago is used again");
});

test("who is refused in spite of his groups is refused once, with the first reason", async (t) => {
  const { grouped, ino, looks } = await fixture(0o640);
  t.is(await errnoOf(() => grouped.open(ann, ino, 2)), "EACCES");
  t.is(await errnoOf(() => grouped.setattr(ann, ino, { mode: 0o600 })), "EPERM");
  t.is(looks(), 2, "the groups may have changed since");
});

test("who is let in without groups isn't looked at, nor is root", async (t) => {
  const { grouped, ino, looks } = await fixture(0o646);
  t.is(await errnoOf(() => grouped.open(ann, ino, 2)), "ok");
  t.is(await errnoOf(() => grouped.lookup(ann, ROOT_INO, n("none"))), "ENOENT");
  t.is(
    await errnoOf(() => grouped.setattr({ ...ROOT_CALLER, pid: 7 }, ino, { mode: 0o2755 })),
    "ok",
  );
  t.is(looks(), 0);
});

test("where groups change the outcome without a refusal they are looked up before", async (t) => {
  const { grouped, plain, ino, looks } = await fixture(0o644);
  await plain.setattr(ROOT_CALLER, ino, { uid: 100 });
  const modeOf = async (): Promise<string> =>
    ((await plain.getattr(ROOT_CALLER, ino)).mode & 0o7777).toString(8);
  await grouped.setattr(ann, ino, { mode: 0o2755 });
  t.is(await modeOf(), "2755");
  t.is(looks(), 1);
  const acl = "0200000001000700ffffffff04000500ffffffff20000000ffffffff";
  await grouped.setxattr(ann, ino, ACL_ACCESS, Buffer.from(acl, "hex"), 0);
  t.is(await modeOf(), "2750");
  await plain.setattr(ann, ino, { mode: 0o2755 });
  t.is(await modeOf(), "755");
});

test("what is made in a setgid directory of one's group keeps the bit", async (t) => {
  const { grouped, plain } = await fixture(0o644);
  const { ino: parent } = await plain.mkdir(ROOT_CALLER, ROOT_INO, n("d"), 0o777);
  await plain.setattr(ROOT_CALLER, parent, { gid: 20 });
  await plain.setattr(ROOT_CALLER, parent, { mode: 0o2777 });
  const { attr } = await grouped.create(ann, parent, n("a"), 0o102755, 0o102);
  const { mode } = await grouped.mknod(ann, parent, n("b"), 0o102755, 0);
  const unnamed = await grouped.createUnnamed(ann, parent, 0o102755, 2);
  for (const made of [attr.mode, mode, unnamed.attr.mode]) t.is(made & 0o7777, 0o2755);
  const plainly = await plain.mknod(ann, parent, n("c"), 0o102755, 0);
  t.is(plainly.mode & 0o7777, 0o755);
});

test("a Vfs without locks stays without, one with them keeps them", async (t) => {
  const { grouped, plain } = await fixture(0o644);
  t.is(typeof grouped.setlk, typeof plain.setlk);
  const { setlk, getlk, ...lockless } = grouped;
  t.truthy(setlk ?? getlk);
  const groups = new CallerGroups(new FakeClock());
  t.false("setlk" in withCallerGroups(lockless, groups));
});
