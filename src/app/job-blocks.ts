// The block store of the metadata server's own jobs: what they put under a map that has changed
// meanwhile is doubted at once, as a client's is when it commits.
import type { BlockStore } from "../stripes/block-store.ts";
import type { GroupRegistry } from "../meta/cluster/group-registry.ts";

export type JobBlocks = Pick<BlockStore, "putBlock" | "readBlock" | "syncBlocks">;

export function jobBlocks(store: JobBlocks, groups: Pick<GroupRegistry, "doubtPlaced">): JobBlocks {
  return {
    async putBlock(ref, data, signal) {
      const epoch = await store.putBlock(ref, data, signal);
      await groups.doubtPlaced([{ ref, epoch }]);
      return epoch;
    },
    readBlock: (...args) => store.readBlock(...args),
    syncBlocks: (...args) => store.syncBlocks(...args),
  };
}
