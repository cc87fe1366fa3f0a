// The -o options of `dfs mount`, as mount(8) writes them: comma-separated, later ones win.
import { CliError, EXIT } from "./exit-codes.ts";

export interface MountFlags {
  readOnly: boolean;
  allowOther: boolean;
  writeback: boolean;
}

const EFFECTS: Readonly<Record<string, Partial<MountFlags>>> = {
  ro: { readOnly: true },
  rw: { readOnly: false },
  allow_other: { allowOther: true },
  writeback: { writeback: true },
  // What every mount of ours is anyway, or what fstab lines carry for others.
  defaults: {},
  default_permissions: {},
  nosuid: {},
  nodev: {},
  noatime: {},
  _netdev: {},
  nofail: {},
};

/** @throws CliError (usage) naming the unknown option and the known ones */
export function parseMountOptions(lists: readonly string[]): MountFlags {
  const flags: MountFlags = {
    readOnly: false,
    allowOther: false,
    writeback: false,
  };
  for (const name of lists.flatMap((list) => list.split(",")).filter((part) => part !== "")) {
    if (!Object.hasOwn(EFFECTS, name)) {
      const known = Object.keys(EFFECTS).join(", ");
      throw new CliError(EXIT.usage, `unknown mount option "${name}"`, `Known are: ${known}`);
    }
    Object.assign(flags, EFFECTS[name]);
  }
  return flags;
}
