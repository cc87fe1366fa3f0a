import test from "ava";
import { present } from "../../testing/present.ts";
import { findMount, parseMountInfo } from "./mount-table.ts";

const LINES = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:3 - fuse.dfs dfs\\134x rw,user_id=0
not a mount line
`;

test("mount points and sources are unescaped and optional fields skipped", (t) => {
  const entries = parseMountInfo(LINES);
  t.is(entries.length, 2);
  t.deepEqual(entries[1], {
    mountpoint: "/mnt 2",
    device: "98:0",
    type: "fuse.dfs",
    source: "dfs\\x",
    superOptions: ["rw", "user_id=0"],
  });
});

test("the root directory is found to be mounted, a missing path isn't", async (t) => {
  t.is(present(await findMount("/")).mountpoint, "/");
  t.is(await findMount("/no/such/path"), undefined);
});
