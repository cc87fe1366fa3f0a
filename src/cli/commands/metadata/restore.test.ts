import test from "ava";
import { afterRestore } from "./restore.ts";

test("who restores a file is told to bring back what is in the trash, while it is", (t) => {
  const told = afterRestore("/data").join("\n");
  t.regex(told, /within a day.*: dfs fsck --repair/);
});
