import test from "ava";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { ROOT_INO, type Ino, type NodeId, type PoolId, type SliceId } from "../../domain/ids.ts";
import { toName } from "../../domain/name.ts";
import type { MetaService } from "../../protocol/meta/meta-service.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { openLocalMeta, TestMetaServer } from "../../testing/meta/meta-server.ts";

const [A, B, C, NO] = ["a", "b", "\xe4\xff", "no"].map(toName) as [
  ReturnType<typeof toName>,
  ReturnType<typeof toName>,
  ReturnType<typeof toName>,
  ReturnType<typeof toName>,
];
const STRANGER = { uid: 7, gid: 7, groups: [8] };
const READ = { read: true, write: false, truncate: false };

type Step = (meta: MetaService) => Promise<unknown>;

/** Inode numbers are handed out in order, so a fixed list of steps knows them: 2, 3, … */
const STEPS: readonly (readonly [string, Step])[] = [
  ["mkdir", (m) => m.mkdir(ROOT_CALLER, ROOT_INO, A, 0o755)],
  ["mkdir again", (m) => m.mkdir(ROOT_CALLER, ROOT_INO, A, 0o755)],
  ["mkdir as a stranger", (m) => m.mkdir(STRANGER, ROOT_INO, B, 0o755)],
  ["lookup", (m) => m.lookup(ROOT_CALLER, ROOT_INO, A)],
  ["lookup of nothing", (m) => m.lookup(ROOT_CALLER, ROOT_INO, NO)],
  ["create", (m) => m.create(ROOT_CALLER, ROOT_INO, C, { mode: 0o104755 }, true)],
  ["create exclusively again", (m) => m.create(ROOT_CALLER, ROOT_INO, C, { mode: 0o644 }, true)],
  ["create what exists", (m) => m.create(ROOT_CALLER, ROOT_INO, C, { mode: 0o644 }, false)],
  ["mknod", (m) => m.mknod(ROOT_CALLER, ROOT_INO, B, { mode: 0o020666, rdev: 259 })],
  ["symlink", (m) => m.symlink(ROOT_CALLER, ROOT_INO, toName("l"), "to/\xfe where")],
  ["readdir", (m) => m.readdir(ROOT_CALLER, ROOT_INO, 0, 2, true)],
  ["readdir without attributes", (m) => m.readdir(ROOT_CALLER, ROOT_INO, 0, 1000, false)],
  ["readlink", async (m) => m.readlink(ROOT_CALLER, await inoOf(m, "l"))],
  ["readlink of a directory", (m) => m.readlink(ROOT_CALLER, ROOT_INO)],
  ["allocateSlices", (m) => m.allocateSlices()],
  ["commit inline", async (m) => commit(m, await inoOf(m, C), 0, Buffer.from("hello"))],
  ["commit stripes", async (m) => commit(m, await inoOf(m, C), 1)],
  ["commit of a slice twice", async (m) => commit(m, await inoOf(m, C), 1)],
  ["extents", async (m) => m.extents(await inoOf(m, C), [0, 1, 5])],
  ["open", async (m) => m.open(ROOT_CALLER, await inoOf(m, C), READ)],
  ["open of a device", async (m) => m.open(ROOT_CALLER, await inoOf(m, B), READ)],
  ["getattr", async (m) => m.getattr(await inoOf(m, C))],
  [
    "setattr",
    async (m) =>
      m.setattr(
        ROOT_CALLER,
        await inoOf(m, C),
        { mode: 0o600, uid: 5, sizeBytes: 3, atime: { sec: -1, nsec: 5 }, mtime: "now" },
        false,
      ),
  ],
  ["setxattr", (m) => m.setxattr(ROOT_CALLER, 2 as Ino, "user.x", Buffer.from([0, 255]), 0)],
  ["getxattr", (m) => m.getxattr(ROOT_CALLER, 2 as Ino, "user.x")],
  ["getxattr of nothing", (m) => m.getxattr(ROOT_CALLER, 2 as Ino, "user.y")],
  ["listxattr", (m) => m.listxattr(ROOT_CALLER, 2 as Ino)],
  ["removexattr", (m) => m.removexattr(ROOT_CALLER, 2 as Ino, "user.x")],
  ["link", async (m) => m.link(ROOT_CALLER, await inoOf(m, C), 2 as Ino, A)],
  ["rename", (m) => m.rename(ROOT_CALLER, 2 as Ino, A, ROOT_INO, NO, 0)],
  ["rename of nothing", (m) => m.rename(ROOT_CALLER, 2 as Ino, A, ROOT_INO, NO, 0)],
  ["createUnnamed", (m) => m.createUnnamed(ROOT_CALLER, ROOT_INO, 0o600)],
  ["createUnnamed as a stranger", (m) => m.createUnnamed(STRANGER, ROOT_INO, 0o600)],
  ["nextData", async (m) => m.nextData(await inoOf(m, C), 0)],
  ["changeRange", async (m) => changeRange(m, await inoOf(m, C), 100)],
  ["changeRange of nothing", async (m) => changeRange(m, await inoOf(m, C), 0)],
  ["copyRange", async (m) => copyRange(m, await inoOf(m, C), 50)],
  ["copyRange onto itself", async (m) => copyRange(m, await inoOf(m, C), 2)],
  ["parentOf", (m) => m.parentOf(2 as Ino)],
  ["unlink", (m) => m.unlink(ROOT_CALLER, ROOT_INO, NO)],
  ["rmdir", (m) => m.rmdir(ROOT_CALLER, ROOT_INO, A)],
  ["release", async (m) => m.release([await inoOf(m, C)])],
  ["statfs", (m) => m.statfs()],
  ["maps", async (m) => (await m.maps()).older],
  ["syncMetadata", (m) => m.syncMetadata()],
  ["reportDamage", (m) => m.reportDamage([damage])],
];

const damage = {
  shard: { pool: 1 as PoolId, pg: 3, slice: 256 as SliceId, index: 0, slot: 1 },
  kind: "missing" as const,
  node: "00000000000a" as NodeId,
};

async function inoOf(meta: MetaService, name: string): Promise<Ino> {
  return (await meta.lookup(ROOT_CALLER, ROOT_INO, toName(name))).ino;
}

/** The first allocated range begins at 256. */
function commit(meta: MetaService, ino: Ino, chunk: number, inline?: Uint8Array): Promise<unknown> {
  const slice = (256 + chunk) as SliceId;
  const extent = { chunk, posInChunk: 7, lengthBytes: 5, slice, pool: 1 as PoolId };
  return meta.commit({
    ino,
    extents: [inline === undefined ? extent : { ...extent, inline }],
    minSizeBytes: 100,
    mtime: { sec: 12, nsec: 34 },
    killPrivileges: true,
    durable: true,
  });
}

function changeRange(meta: MetaService, ino: Ino, lengthBytes: number): Promise<unknown> {
  const how = { clear: true, extend: true, killPrivileges: true };
  return meta.changeRange({ ino, offset: 9, lengthBytes, ...how });
}

function copyRange(meta: MetaService, ino: Ino, targetOffset: number): Promise<unknown> {
  const range = { source: ino, sourceOffset: 0, target: ino, targetOffset, lengthBytes: 20 };
  return meta.copyRange({ ...range, killPrivileges: false });
}

/** What every step gives, errors by their code; bytes as arrays, whatever holds them. */
async function outcomes(meta: MetaService): Promise<[string, unknown][]> {
  const results: [string, unknown][] = [];
  for (const [name, step] of STEPS) {
    const result = await step(meta).catch((error: unknown) => (error as { code: string }).code);
    results.push([name, JSON.parse(JSON.stringify(result ?? null))]);
  }
  return results;
}

test("a session over the socket behaves like the service in the server's process", async (t) => {
  const clock = new FakeClock();
  await using server = await TestMetaServer.start({ clock });
  const local = await openLocalMeta({ clock });
  const remote = await outcomes(await server.connect());
  t.deepEqual(remote, await outcomes(await local.newSession()));
  const codes = remote.flatMap(([, result]) => (typeof result === "string" ? [result] : []));
  t.deepEqual(
    codes.filter((code) => /^E[A-Z]+$/.test(code)),
    [
      ...["EEXIST", "EACCES", "ENOENT", "EEXIST", "EINVAL", "EINVAL", "ENXIO", "ENODATA"],
      ...["ENOENT", "EACCES", "EINVAL", "EINVAL"],
    ],
    "the list has its failures where it should",
  );
});
