import test from "ava";
import { CliError } from "../terminal/exit-codes.ts";
import { applySource, parseMountOptions } from "./mount-options.ts";

test("option lists add up and later ones win", (t) => {
  t.deepEqual(parseMountOptions([]), { readOnly: false, allowOther: false, writeback: false });
  t.deepEqual(parseMountOptions(["ro,allow_other", "rw", "writeback,"]), {
    readOnly: false,
    allowOther: true,
    writeback: true,
  });
});

test("an unknown option is a usage error that names it", (t) => {
  const error = t.throws(() => parseMountOptions(["ro,toString"]), { instanceOf: CliError });
  t.is(error.exitCode, 2);
  t.regex(error.message, /toString/);
});

test("options with values are taken, and those meant for mount(8) and systemd passed over", (t) => {
  const flags = parseMountOptions([
    "_netdev,nofail,x-systemd.automount,x-systemd.idle-timeout=60,comment=ours,user",
    "uid=1000,gid=0,subdir=/home/a=b,driver=fuse-native,meta=http://m:7400,cache=1M,noexec,noatime",
    "credentials=/etc/dfs/login,fsname=name",
  ]);
  t.deepEqual(flags, {
    ...{ readOnly: false, allowOther: false, writeback: false, noExec: true, noAtime: true },
    ...{ uid: 1000, gid: 0, subdir: "/home/a=b", driver: "fuse-native", meta: "http://m:7400" },
    ...{ cacheBytes: 1024 * 1024, credentials: "/etc/dfs/login", fsName: "name" },
  });
});

test("what mount would promise and we don't do is refused, unless told to be sloppy", (t) => {
  for (const option of [
    "suid",
    "dev",
    "sync",
    "uid=me",
    "gid=-1",
    "driver=none",
    "cache=x",
    "uid",
  ]) {
    t.throws(() => parseMountOptions([option]), { instanceOf: CliError }, option);
  }
  t.notThrows(() => parseMountOptions(["sync,sloppy"]));
});

test("the source names the server unless an option does, and is what mount shows", (t) => {
  const none = parseMountOptions([]);
  t.deepEqual(applySource(none, undefined), none);
  t.deepEqual(applySource(none, "none"), { ...none, fsName: "none" });
  t.deepEqual(applySource(none, "http://m:1"), {
    ...none,
    fsName: "http://m:1",
    meta: "http://m:1",
  });
  const told = parseMountOptions(["meta=http://other:2"]);
  t.deepEqual(applySource(told, "http://m:1"), { ...told, fsName: "http://m:1" });
});
