// Which of the two FUSE drivers serves a mount.
import { isFsError } from "../domain/errno.ts";
import { mountChannel } from "./channel/channel-mount.ts";
import { mountFuseNative } from "./fuse-native/fuse-native-mount.ts";
import type { FuseMount, FuseMountOptions } from "./mounting/fuse-mount.ts";

export const FUSE_DRIVERS = ["channel", "fuse-native"] as const;
export type FuseDriver = (typeof FUSE_DRIVERS)[number];

export function isFuseDriver(name: string): name is FuseDriver {
  return (FUSE_DRIVERS as readonly string[]).includes(name);
}

/**
 * Mounts with the driver that is asked for; with none, by the channel, or by fuse-native where the
 * channel's addon isn't built.
 * @throws FsError as mountChannel and mountFuseNative do
 */
export async function mountFuse(
  options: FuseMountOptions,
  driver?: FuseDriver,
): Promise<FuseMount> {
  if (driver === "fuse-native") return mountFuseNative(options);
  try {
    return await mountChannel(options);
  } catch (error) {
    if (driver !== undefined || !isFsError(error, "ENOSYS")) throw error;
    options.log.warn({ err: error }, "the channel's addon isn't built: mounting with fuse-native");
  }
  return mountFuseNative(options);
}
