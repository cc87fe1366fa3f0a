// Loaded into a real `dfs` process before it starts (NODE_OPTIONS=--import): what a test then asks
// for breaks an invariant there, behind the edge that would answer it.
import { Accounts } from "../../auth/accounts.ts";
import { invariant } from "../../domain/invariant.ts";
import { ShardStore } from "../../storage/shards/shard-store.ts";
import { DfsVfs } from "../../vfs/open/dfs-vfs.ts";

const broken = (): never => {
  invariant(Object.isFrozen(broken), "broken on purpose");
  throw new Error("unreachable");
};

Accounts.prototype.login = async () => broken();
ShardStore.prototype.headMany = async () => broken();
DfsVfs.prototype.mkdir = broken;
