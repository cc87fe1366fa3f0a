// Mounting and unmounting as an ordinary user: fusermount3, the setuid program of the package
// fuse3.
import { spawn } from "node:child_process";
import { close } from "node:fs";
import { promisify } from "node:util";
import { FsError } from "../../domain/errno.ts";
import type { ChannelAddon } from "../addon/addon.ts";

const closeDescriptor = promisify(close);

interface Outcome {
  readonly code: number;
  /** What it said, for people. */
  readonly message: string;
}

function run(args: readonly string[], socket?: number, program = "fusermount3"): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: "/",
      env: { ...process.env, ...(socket === undefined ? {} : { _FUSE_COMMFD: "3" }) },
      stdio: ["ignore", "ignore", "pipe", ...(socket === undefined ? [] : [socket])],
    });
    const said: Buffer[] = [];
    child.stderr?.on("data", (chunk: Buffer) => said.push(chunk));
    child.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") reject(error);
      else {
        reject(
          new FsError("EPERM", "mounting as a user needs fusermount3: apt install fuse3", {
            cause: error,
          }),
        );
      }
    });
    child.on("close", (code) => {
      resolve({ code: code ?? -1, message: Buffer.concat(said).toString("utf8").trim() });
    });
  });
}

/**
 * Mounts and returns the descriptor of the device.
 * @throws FsError EPERM when fusermount3 is missing or refuses, with what it says
 */
export async function mountAsUser(
  addon: ChannelAddon,
  mountpoint: string,
  options: readonly string[],
): Promise<number> {
  const [ours, theirs] = addon.socketPair();
  try {
    const outcome = await run(["-o", options.join(","), "--", mountpoint], theirs);
    const fd = outcome.code === 0 ? addon.receiveDescriptor(ours) : -1;
    if (fd < 0) throw new FsError("EPERM", `cannot mount ${mountpoint}: ${outcome.message}`);
    return fd;
  } finally {
    await Promise.all([closeDescriptor(ours), closeDescriptor(theirs)]);
  }
}

/** Unmounts; the outcome's code is 0 when it was done. */
export function unmountAsUser(mountpoint: string, lazy: boolean): Promise<Outcome> {
  return run(["-u", ...(lazy ? ["-z"] : []), "--", mountpoint]);
}

/** The same as root, without the addon: umount(8), which doesn't look at the mount itself. */
export function unmountByProgram(mountpoint: string, lazy: boolean): Promise<Outcome> {
  return run(["--no-canonicalize", ...(lazy ? ["--lazy"] : []), mountpoint], undefined, "umount");
}
