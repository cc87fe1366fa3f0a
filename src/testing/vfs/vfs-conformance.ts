// The promises of Vfs, tested on whatever implements it. Everything is done as root: who may do
// what is judged by the kernel or by the metadata server, and tested there.
import type { TestFn } from "ava";
import type { Vfs } from "../../vfs/vfs.ts";
import { DATA_PROMISES } from "./vfs-data-promises.ts";
import { NAME_PROMISES } from "./vfs-name-promises.ts";
import { VfsWorld } from "./vfs-world.ts";

/** `make` gives an empty file system, each time a new one. */
export function testVfs(test: TestFn, name: string, make: () => Promise<Vfs>): void {
  for (const [promise, check] of Object.entries({ ...NAME_PROMISES, ...DATA_PROMISES })) {
    test(`${name}: ${promise}`, async (t) => {
      const vfs = await make();
      await check(t, new VfsWorld(vfs), vfs);
      await vfs.close();
    });
  }
}
