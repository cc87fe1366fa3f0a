// The POSIX cases on the namespace alone: the server refuses what must be refused, whatever a
// kernel has checked.
import test from "ava";
import { ACL_CASES } from "../../testing/posix/cases-acl.ts";
import { TIMES_CASES } from "../../testing/posix/cases-attributes.ts";
import { CHMOD_CASES, CHOWN_CASES } from "../../testing/posix/cases-chmod.ts";
import { DIRECTORY_CASES } from "../../testing/posix/cases-directory.ts";
import { LINK_CASES, SYMLINK_CASES, UNLINK_CASES } from "../../testing/posix/cases-link.ts";
import { MAKE_CASES, RMDIR_CASES } from "../../testing/posix/cases-make.ts";
import { PERMISSION_CASES } from "../../testing/posix/cases-open.ts";
import { RENAME_CASES } from "../../testing/posix/cases-rename.ts";
import { XATTR_CASES } from "../../testing/posix/cases-xattr.ts";
import {
  judge,
  parseCase,
  type Answer,
  type Cases,
  type Step,
} from "../../testing/posix/language.ts";
import { NamespaceSystem } from "../../testing/posix/namespace-system.ts";

const TABLES: Readonly<Record<string, Cases>> = {
  acl: ACL_CASES,
  chmod: CHMOD_CASES,
  chown: CHOWN_CASES,
  directory: DIRECTORY_CASES,
  link: LINK_CASES,
  make: MAKE_CASES,
  permission: PERMISSION_CASES,
  rename: RENAME_CASES,
  rmdir: RMDIR_CASES,
  symlink: SYMLINK_CASES,
  times: TIMES_CASES,
  unlink: UNLINK_CASES,
  xattr: XATTR_CASES,
};

/** What a kernel sees to, not the server: slashes, descriptors, fifos, other file systems. */
const KERNELS = new RegExp(
  [
    "slash|another file system|moves along|working|while it is open|that is open|gone|WHITEOUT",
    "mount point|absolute|fifos? |out of range|tmpfile",
  ].join("|"),
);

for (const [table, cases] of Object.entries(TABLES)) {
  test(`the server alone keeps the rules of ${table}`, async (t) => {
    const failures: string[] = [];
    for (const [title, text] of Object.entries(cases)) {
      if (KERNELS.test(title)) continue;
      const system = await NamespaceSystem.create();
      const steps: Step[] = [];
      const answers: Answer[] = [];
      for (const step of parseCase(text)) {
        const answer = await system.perform(step);
        if (answer === undefined) continue;
        steps.push(step);
        answers.push(answer);
      }
      const failure = judge(steps, answers);
      if (failure !== undefined) failures.push(`${title}: ${failure}`);
      failures.push(...(await system.broken()).map((broken) => `${title}: ${broken}`));
    }
    t.deepEqual(failures, []);
  });
}
