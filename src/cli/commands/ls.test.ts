import test from "ava";
import { permissionText } from "./ls.ts";

test("permissions are written as ls writes them", (t) => {
  t.is(permissionText(0o755), "rwxr-xr-x");
  t.is(permissionText(0o640), "rw-r-----");
  t.is(permissionText(0o4755), "rwsr-xr-x");
  t.is(permissionText(0o2644), "rw-r-Sr--");
  t.is(permissionText(0o1777), "rwxrwxrwt");
});
