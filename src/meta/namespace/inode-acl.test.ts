// ACLs against a model of POSIX.1e's text: who may what, after any row of chmod, chown and new
// lists.
import test from "ava";
import fc from "fast-check";
import {
  ACL_ACCESS,
  ACL_DEFAULT,
  ACL_TAG,
  encodeAcl,
  parseAcl,
  type Acl,
  type AclEntry,
} from "../../domain/acl.ts";
import { ROOT_CALLER, type Caller } from "../../domain/attributes.ts";
import type { Ino } from "../../domain/ids.ts";
import { TestNamespace } from "../../testing/engine/engine-namespace.ts";
import { MemoryEngine } from "../engine/memory-engine.ts";
import { loadInode } from "./inodes.ts";
import { mayAccess } from "../../domain/permission.ts";

const NO_ID = 0xffffffff;
const permissions = fc.integer({ min: 0, max: 7 });
const id = fc.integer({ min: 100, max: 103 });
const named = (tag: number): fc.Arbitrary<AclEntry[]> =>
  fc.uniqueArray(fc.record({ tag: fc.constant(tag), permissions, id }), {
    maxLength: 3,
    selector: (entry) => entry.id,
  });

const anAcl: fc.Arbitrary<Acl> = fc
  .tuple(
    named(ACL_TAG.USER),
    named(ACL_TAG.GROUP),
    fc.boolean(),
    fc.tuple(permissions, permissions, permissions, permissions),
  )
  .map(([users, groups, wantsMask, [owner, group, mask, other]]) => {
    const own = (tag: number, bits: number): AclEntry => ({ tag, permissions: bits, id: NO_ID });
    const masked = wantsMask || users.length + groups.length > 0;
    return [
      own(ACL_TAG.USER_OBJ, owner),
      ...users,
      own(ACL_TAG.GROUP_OBJ, group),
      ...groups,
      ...(masked ? [own(ACL_TAG.MASK, mask)] : []),
      own(ACL_TAG.OTHER, other),
    ];
  });

const aCaller: fc.Arbitrary<Caller> = fc.record({
  uid: id,
  gid: id,
  groups: fc.uniqueArray(id, { maxLength: 2 }),
});

type Change =
  | { kind: "mode"; mode: number }
  | { kind: "owner"; uid: number; gid: number }
  | { kind: "list"; acl: Acl }
  | { kind: "removal" };

const aChange: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant("mode" as const), mode: fc.integer({ min: 0, max: 0o777 }) }),
  fc.record({ kind: fc.constant("owner" as const), uid: id, gid: id }),
  fc.record({ kind: fc.constant("list" as const), acl: anAcl }),
  fc.record({ kind: fc.constant("removal" as const) }),
);

/** A file as the text of the draft has it: the mode's three classes are entries of the list. */
class ModelFile {
  uid = 0;
  gid = 0;
  acl: AclEntry[] = modeAcl(0o644);

  apply(change: Change): void {
    if (change.kind === "owner") Object.assign(this, { uid: change.uid, gid: change.gid });
    else if (change.kind === "list") this.acl = [...change.acl];
    else if (change.kind === "mode") this.#chmod(change.mode);
    else this.acl = modeAcl(this.mode);
  }

  get mode(): number {
    const bits = (...tags: number[]): number => {
      const tag = tags.find((wanted) => this.acl.some((entry) => entry.tag === wanted));
      return this.acl.find((entry) => entry.tag === tag)?.permissions ?? 0;
    };
    const group = bits(ACL_TAG.MASK, ACL_TAG.GROUP_OBJ);
    return (bits(ACL_TAG.USER_OBJ) << 6) | (group << 3) | bits(ACL_TAG.OTHER);
  }

  allows(caller: Caller, wanted: number): boolean {
    const of = (tag: number): AclEntry[] => this.acl.filter((entry) => entry.tag === tag);
    const within = ({ permissions: bits }: AclEntry): boolean => (bits & wanted) === wanted;
    const masked = (entry: AclEntry): boolean => within(entry) && of(ACL_TAG.MASK).every(within);
    if (caller.uid === this.uid) return of(ACL_TAG.USER_OBJ).every(within);
    // Linux doesn't look at the list when the mode says that it gives nothing.
    const asks = (this.mode & 0o070) !== 0 || of(ACL_TAG.MASK).length === 0;
    const user = of(ACL_TAG.USER).find((entry) => entry.id === caller.uid);
    if (asks && user !== undefined) return masked(user);
    const groups = new Set([caller.gid, ...(caller.groups ?? [])]);
    const own = of(ACL_TAG.GROUP_OBJ).filter(() => groups.has(this.gid));
    const others = of(ACL_TAG.GROUP).filter((entry) => asks && groups.has(entry.id));
    const matching = [...own, ...others];
    if (matching.length > 0) return matching.some(masked);
    return of(ACL_TAG.OTHER).every(within);
  }

  #chmod(mode: number): void {
    const hasMask = this.acl.some(({ tag }) => tag === ACL_TAG.MASK);
    const shifts = new Map<number, number>([
      [ACL_TAG.USER_OBJ, 6],
      [hasMask ? ACL_TAG.MASK : ACL_TAG.GROUP_OBJ, 3],
      [ACL_TAG.OTHER, 0],
    ]);
    this.acl = this.acl.map((entry) => {
      const shift = shifts.get(entry.tag);
      return shift === undefined ? entry : { ...entry, permissions: (mode >> shift) & 7 };
    });
  }
}

function modeAcl(mode: number): AclEntry[] {
  return [
    { tag: ACL_TAG.USER_OBJ, permissions: mode >> 6, id: NO_ID },
    { tag: ACL_TAG.GROUP_OBJ, permissions: (mode >> 3) & 7, id: NO_ID },
    { tag: ACL_TAG.OTHER, permissions: mode & 7, id: NO_ID },
  ];
}

function change(fs: TestNamespace, ino: Ino, step: Change): Promise<unknown> {
  return fs.do((ns, tx) => {
    if (step.kind === "mode") ns.setattr(tx, ROOT_CALLER, ino, { mode: step.mode }, false);
    else if (step.kind === "owner")
      ns.setattr(tx, ROOT_CALLER, ino, { uid: step.uid, gid: step.gid }, false);
    else if (step.kind === "removal") ns.removexattr(tx, ROOT_CALLER, ino, ACL_ACCESS);
    else ns.setxattr(tx, ROOT_CALLER, ino, ACL_ACCESS, encodeAcl(step.acl), 0);
  });
}

test("after any chmod, chown and setfacl everybody may what POSIX.1e says", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(aChange, { minLength: 1, maxLength: 6 }),
      fc.array(aCaller, { minLength: 4, maxLength: 8 }),
      async (changes, callers) => {
        const fs = await TestNamespace.on(new MemoryEngine());
        const { ino } = await fs.file("f");
        const model = new ModelFile();
        for (const step of changes) {
          await change(fs, ino, step);
          model.apply(step);
          const inode = await fs.see((_ns, tx) => loadInode(tx, ino));
          t.is(inode.mode & 0o777, model.mode);
          for (const caller of callers) {
            for (let wanted = 1; wanted < 8; wanted += 1) {
              t.is(mayAccess(caller, inode, wanted), model.allows(caller, wanted));
            }
          }
        }
        t.deepEqual(await fs.broken(), []);
      },
    ),
    { numRuns: 150 },
  );
});

test("what is made in a directory has its default list, cut by the mode asked for", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      anAcl,
      fc.integer({ min: 0, max: 0o777 }),
      fc.boolean(),
      async (acl, mode, asDirectory) => {
        const fs = await TestNamespace.on(new MemoryEngine());
        const parent = (await fs.directory("d")).ino;
        await fs.do((ns, tx) =>
          ns.setxattr(tx, ROOT_CALLER, parent, ACL_DEFAULT, encodeAcl(acl), 0),
        );
        const caller: Caller = { ...ROOT_CALLER, umask: 0o777 };
        const options = { parent, mode, caller };
        const made = await (asDirectory ? fs.directory("x", options) : fs.file("x", options));
        const model = new ModelFile();
        model.apply({ kind: "list", acl });
        model.apply({ kind: "mode", mode: model.mode & mode });
        t.is(made.mode & 0o777, model.mode);
        const read = (name: string): Promise<Acl> =>
          fs.see((ns, tx) => parseAcl(ns.getxattr(tx, ROOT_CALLER, made.ino, name)));
        if (acl.length > 3) t.deepEqual(await read(ACL_ACCESS), model.acl);
        if (asDirectory) t.deepEqual(await read(ACL_DEFAULT), acl);
      },
    ),
    { numRuns: 150 },
  );
});
