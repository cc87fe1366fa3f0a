// One process a data directory: a Unix socket in Linux's abstract namespace, named after the
// directory's inode. The kernel frees it with the process, however that ends, so it is never stale.
import { statSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { FsError } from "../../domain/errno.ts";

export class DataLock implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /**
   * Holds `directory`, which must exist, until `release` or the end of the process. Processes in
   * different network namespaces don't see each other's locks.
   * @throws FsError EBUSY when another process holds it
   */
  static async acquire(directory: string): Promise<DataLock> {
    const { dev, ino } = statSync(directory, { bigint: true });
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => {
        const message = `${directory} is in use by another process; stop that one first`;
        reject(new FsError("EBUSY", message, { cause: error }));
      });
      server.listen(`\0dfs-data-${dev}-${ino}`, resolve);
    });
    server.unref();
    return new DataLock(server);
  }

  async release(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}
