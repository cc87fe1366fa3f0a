// A node as the metadata server's jobs see it: it may be asked for anything, but told to delete
// only while it has registered with this run of the server. A map of long ago, a restored or a
// copied one, names nodes that have since gone on with another server.
import { FsError } from "../domain/errno.ts";
import type { ClosableShardService } from "../stripes/nodes/node-link.ts";

/**
 * @param isRegistered the positive fact that allows deleting
 * @throws FsError EAGAIN, by the methods that delete or park
 */
export function onlyRegisteredDelete(
  service: ClosableShardService,
  isRegistered: () => boolean,
): ClosableShardService {
  const check = (): void => {
    if (isRegistered()) return;
    throw new FsError("EAGAIN", "the node hasn't registered with this run of the server");
  };
  return {
    put: (...args) => service.put(...args),
    get: (...args) => service.get(...args),
    head: (...args) => service.head(...args),
    headMany: (...args) => service.headMany(...args),
    deleteMany: async (...args) => {
      check();
      await service.deleteMany(...args);
    },
    park: async (...args) => {
      check();
      await service.park(...args);
    },
    unpark: (...args) => service.unpark(...args),
    list: (...args) => service.list(...args),
    groups: (...args) => service.groups(...args),
    secure: (...args) => service.secure(...args),
    rebuild: (...args) => service.rebuild(...args),
    stats: (...args) => service.stats(...args),
    close: () => service.close(),
  };
}
