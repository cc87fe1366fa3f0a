import test from "ava";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { type Ino, ROOT_INO } from "../../domain/ids.ts";
import { toName } from "../../domain/name.ts";
import {
  createFile,
  patternBytes,
  testMount,
  type TestMount,
} from "../../testing/vfs/vfs-mount.ts";

interface LateCommit extends TestMount {
  ino: Ino;
  /** Lets the commit's reply through; resolves when it was taken in. */
  deliver: () => Promise<void>;
}

/** A file whose bytes the server has committed, while the reply is still on its way. */
async function lateCommit(): Promise<LateCommit> {
  const mount = await testMount();
  const { vfs, meta } = mount;
  const { fh, attr } = await createFile(vfs, "file");
  await vfs.write(fh, 0, patternBytes(100), false);
  let letThrough = (): void => undefined;
  const through = new Promise<void>((resolve) => (letThrough = resolve));
  let flushed: Promise<void> = Promise.resolve();
  await new Promise<void>((resolve) => {
    meta.hooks.set("commit", async (go) => {
      const reply = await go();
      resolve();
      await through;
      return reply;
    });
    flushed = Promise.resolve(vfs.flush(fh));
  });
  const deliver = (): Promise<void> => {
    letThrough();
    return flushed;
  };
  return { ...mount, ino: attr.ino, deliver };
}

test("a commit's reply that comes while a link is made doesn't hide the link", async (t) => {
  const { vfs, meta, ino, deliver } = await lateCommit();
  meta.hooks.set("link", async (go) => {
    await deliver();
    return go();
  });
  t.is((await vfs.link(ROOT_CALLER, ino, ROOT_INO, toName("other"))).nlink, 2);
  t.is((await vfs.lookup(ROOT_CALLER, ROOT_INO, toName("file"))).nlink, 2);
  t.is((await vfs.getattr(ROOT_CALLER, ino)).nlink, 2);
});

test("a commit's reply that comes after a link doesn't take it back", async (t) => {
  const { vfs, ino, deliver } = await lateCommit();
  t.is((await vfs.link(ROOT_CALLER, ino, ROOT_INO, toName("other"))).nlink, 2);
  await deliver();
  t.is((await vfs.getattr(ROOT_CALLER, ino)).nlink, 2);
});
