import test from "ava";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { ROOT_INO } from "../../domain/ids.ts";
import { toName } from "../../domain/name.ts";
import { testMount } from "../../testing/vfs/vfs-mount.ts";

test("a directory that was removed while it was open tells its last attributes", async (t) => {
  const { vfs } = await testMount();
  const name = toName("directory");
  const { ino } = await vfs.mkdir(ROOT_CALLER, ROOT_INO, name, 0o755);
  const handles = [await vfs.opendir(ROOT_CALLER, ino), await vfs.opendir(ROOT_CALLER, ino)];
  await vfs.setattr(ROOT_CALLER, ino, { mode: 0o700 });
  await vfs.rmdir(ROOT_CALLER, ROOT_INO, name);
  for (const fh of handles) {
    const { mode, nlink } = await vfs.getattr(ROOT_CALLER, ino);
    t.is(mode & 0o777, 0o700);
    t.is(nlink, 0);
    vfs.releasedir(fh);
  }
  await t.throwsAsync(async () => vfs.getattr(ROOT_CALLER, ino), { code: "ENOENT" });
});

test("another client's removal of an open directory doesn't matter either", async (t) => {
  const { vfs, ...shared } = await testMount();
  const other = await testMount({ namespace: shared.namespace, clock: shared.clock });
  const name = toName("directory");
  const { ino } = await vfs.mkdir(ROOT_CALLER, ROOT_INO, name, 0o755);
  await vfs.opendir(ROOT_CALLER, ino);
  await other.vfs.rmdir(ROOT_CALLER, ROOT_INO, name);
  t.is((await vfs.getattr(ROOT_CALLER, ino)).nlink, 0);
});
