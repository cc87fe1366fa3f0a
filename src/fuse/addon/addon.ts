// Our FUSE addon, the C in this folder: its shape, and loading it.
import { createRequire } from "node:module";
import { FsError } from "../../domain/errno.ts";

/** Where things lie in a channel's pool; all in bytes but the counts. */
export interface PoolLayout {
  readonly slotCount: number;
  readonly slotStride: number;
  /** A request begins so far into its slot, which puts the data of a WRITE on a page. */
  readonly slotStart: number;
  readonly replyOffset: number;
  readonly replyBytes: number;
  /** Pairs of 32-bit slot and length, `batchSize` of them. */
  readonly batchOffset: number;
  readonly batchSize: number;
  readonly poolBytes: number;
}

/**
 * What the dispatcher needs of a channel. Methods answer an errno, or undefined when it was done.
 */
export interface ReplyPort {
  readonly pool: ArrayBuffer;
  /** Sends the first `lengthBytes` of the reply area. */
  reply(lengthBytes: number): number | undefined;
  /** Sends the first `headBytes` of the reply area, then `pieces` from where they lie. */
  replyData(headBytes: number, pieces: readonly Uint8Array[]): number | undefined;
  /** Frees a slot that was kept by setting its length in the batch to 0. */
  release(slot: number): void;
  /**
   * Queues a message for the addon's own thread, which copies it and writes them in order. False
   * when there is no room.
   */
  notify(message: Uint8Array): boolean;
}

export interface Channel extends ReplyPort {
  /** Closes the descriptor; onClosed isn't called. */
  stop(): void;
}

export interface ChannelAddon {
  readonly layout: PoolLayout;
  /** Takes `fd` over. Calls back with the number of requests in the batch; once, when it ends. */
  start(
    fd: number,
    spinMicroseconds: number,
    onBatch: (count: number) => void,
    onClosed: (errno: number) => void,
  ): Channel;
  /** mount(2) and umount2(2) off the JavaScript thread; they resolve to an errno or 0. */
  mount(source: string, target: string, type: string, flags: number, data: string): Promise<number>;
  unmount(target: string, flags: number): Promise<number>;
  socketPair(): [ours: number, theirs: number];
  /** The descriptor that waits at the socket, -1 when none does. */
  receiveDescriptor(socket: number): number;
}

const ADDON_PATH = "../../../build/Release/dfs_fuse_channel.node";

/** @throws FsError ENOSYS when it hasn't been built */
export function loadChannelAddon(path: string = ADDON_PATH): ChannelAddon {
  const require = createRequire(import.meta.url);
  try {
    return require(path) as ChannelAddon;
  } catch (error) {
    throw new FsError(
      "ENOSYS",
      "the FUSE addon isn't built: run `npm run build` (needs g++, make)",
      {
        cause: error,
      },
    );
  }
}
