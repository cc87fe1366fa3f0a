import test from "ava";
import type { Attr } from "../../domain/attributes.ts";
import type { Ino, Name } from "../../domain/ids.ts";
import { ATTR } from "../../testing/fuse/fuse-operation-cases.ts";
import { recordingVfs } from "../../testing/fuse/fuse-frames.ts";
import type { DirEntry } from "../../protocol/meta/meta-service.ts";
import type { Vfs } from "../vfs.ts";
import { VFS_METHODS, VFS_TABLE, type ArgumentKind, type ResultKind } from "../vfs-table.ts";
import { present } from "../../testing/present.ts";
import { translateVfs, type Translation } from "./translated-vfs.ts";

const OUTER: Readonly<Record<ArgumentKind, unknown>> = {
  caller: { uid: 1, gid: 1 },
  ino: 1,
  changes: { uid: 1 },
  xattrName: "user.name",
  xattrValue: Buffer.from("outer"),
  plain: "plain",
};
const INNER: Readonly<Record<ArgumentKind, unknown>> = {
  caller: { uid: 2, gid: 2 },
  ino: 2,
  changes: { uid: 2 },
  xattrName: "user.name",
  xattrValue: Buffer.from("inner user.name"),
  plain: "plain",
};
const entry = (ino: number): DirEntry => {
  return { name: "e" as Name, ino: ino as Ino, mode: 0, cookie: 3 };
};
const attr = (ino: number): Attr => ({ ...ATTR, ino: ino as Ino });
const GIVEN: Readonly<Record<ResultKind, unknown>> = {
  attr: attr(2),
  opened: { fh: 5, attr: attr(2), keepCache: true },
  entries: [entry(2), entry(2)],
  xattrValue: Buffer.from("inner"),
  plain: "plain",
};
const SHOWN: Readonly<Record<ResultKind, unknown>> = {
  attr: attr(1),
  opened: { fh: 5, attr: attr(1), keepCache: true },
  entries: [entry(1), entry(1)],
  xattrValue: Buffer.from("outer user.name"),
  plain: "plain",
};
const VIA: Translation = {
  inward: {
    caller: () => ({ uid: 2, gid: 2 }),
    ino: () => 2 as Ino,
    changes: () => ({ uid: 2 }),
    xattrValue: (_value, name) => Buffer.from(`inner ${name}`),
  },
  outward: {
    attr: () => attr(1),
    entry: () => entry(1),
    xattrValue: (_value, name) => Buffer.from(`outer ${name}`),
  },
};

for (const method of VFS_METHODS) {
  const { takes, gives }: { takes: readonly ArgumentKind[]; gives: ResultKind } = VFS_TABLE[method];

  test(`${method} is asked in the inner terms and answers in the outer ones`, async (t) => {
    const ask = (answer: unknown): [unknown, readonly unknown[]] => {
      const { vfs, calls } = recordingVfs({ [method]: answer });
      // Each method is asked with what its row says it takes.
      const call = Reflect.get(translateVfs(vfs, VIA), method) as (...args: unknown[]) => unknown;
      const got = call(...takes.map((kind) => OUTER[kind]));
      return [got, present(calls[0]).args];
    };
    const [now, args] = ask(GIVEN[gives]);
    t.deepEqual(
      args,
      takes.map((kind) => INNER[kind]),
    );
    t.deepEqual(now, SHOWN[gives], "what is there at once is answered at once");
    const [later] = ask(() => Promise.resolve(GIVEN[gives]));
    t.deepEqual(await (later as Promise<unknown>), SHOWN[gives]);
  });
}

test("a view of a Vfs without locks has none", (t) => {
  const { vfs } = recordingVfs({});
  const view: Vfs = translateVfs(vfs, VIA);
  t.false("setlk" in view);
  t.false("getlk" in view);
});
