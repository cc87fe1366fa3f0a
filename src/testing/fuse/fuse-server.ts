// A program that mounts the in-memory file system: `node fuse-server.js MOUNTPOINT [OPTIONS as
// JSON]`. Tests run it as a child, so that the process that uses the mount isn't the one that
// serves it. It takes commands as IPC messages and answers each with one.
import { createLog } from "../../observability/log.ts";
import { mountFuse, type FuseDriver } from "../../fuse/driver.ts";
import type { FuseMount, FuseMountOptions } from "../../fuse/mounting/fuse-mount.ts";
import { systemClock } from "../../platform/clock.ts";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { ROOT_INO, type Ino, type Name } from "../../domain/ids.ts";
import type { Vfs } from "../../vfs/vfs.ts";
import { MemoryVfs, type MemoryVfsOptions } from "./fuse-memory-vfs.ts";

export interface FuseServerOptions extends MemoryVfsOptions {
  /** Default: the channel. */
  readonly driver?: FuseDriver;
  readonly mount?: Partial<Omit<FuseMountOptions, "mountpoint" | "vfs" | "log" | "clock">>;
  /** Every method that may answers with a promise, after so many milliseconds (0: at once). */
  readonly delayMs?: number;
  /** Methods that never answer. */
  readonly hanging?: readonly string[];
}

export type FuseServerCommand =
  | { readonly type: "unmount"; readonly lazy: boolean }
  | { readonly type: "counts" | "exit" }
  | { readonly type: "touchContent"; readonly ino: number; readonly text: string }
  | { readonly type: "invalidateInode"; readonly ino: number }
  | { readonly type: "invalidateEntry"; readonly parent: number; readonly name: string };

export type FuseServerEvent =
  | { readonly type: "mounted" | "done" | "closed" }
  | {
      readonly type: "counts";
      readonly lookups: number;
      readonly handles: number;
      readonly inodes: number;
    }
  | { readonly type: "failed"; readonly code: string; readonly message: string };

const SYNCHRONOUS = new Set(["forget", "releasedir", "close"]);

/** The same file system, answering with promises. */
function delayed(vfs: MemoryVfs, delayMs: number, hanging: readonly string[]): Vfs {
  return new Proxy<Vfs>(vfs, {
    get(_target, property) {
      const method: unknown = Reflect.get(vfs, property);
      if (typeof method !== "function") return method;
      const call = (...args: unknown[]): unknown => Reflect.apply(method, vfs, args);
      if (SYNCHRONOUS.has(String(property))) return call;
      if (hanging.includes(String(property))) return () => new Promise(() => undefined);
      return async (...args: unknown[]) => {
        if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
        return call(...args);
      };
    },
  });
}

function send(event: FuseServerEvent): void {
  process.send?.(event);
}

function sendFailure(error: unknown): void {
  const { code, message } = error as NodeJS.ErrnoException;
  send({ type: "failed", code: code ?? "", message });
}

async function obey(command: FuseServerCommand, mount: FuseMount, vfs: MemoryVfs): Promise<void> {
  // The environment ends while the mount is in use.
  if (command.type === "exit") process.exit(0);
  if (command.type === "unmount") await mount.unmount({ lazy: command.lazy });
  else if (command.type === "touchContent") {
    const { fh } = vfs.open(ROOT_CALLER, command.ino as Ino, 1);
    vfs.write(fh, 0, Buffer.from(command.text), false);
    vfs.release(fh);
  } else if (command.type === "invalidateInode") mount.invalidateInode(command.ino as Ino);
  else if (command.type === "invalidateEntry") {
    mount.invalidateEntry(command.parent as Ino, command.name as Name);
  } else {
    send({
      type: "counts",
      lookups: vfs.outstandingLookups,
      handles: vfs.openHandles,
      inodes: vfs.inodeCount,
    });
    return;
  }
  send({ type: "done" });
}

async function main(): Promise<void> {
  const [mountpoint = "", json = "{}"] = process.argv.slice(2);
  const options = JSON.parse(json) as FuseServerOptions;
  const memory = new MemoryVfs(options);
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  memory.setattr(ROOT_CALLER, ROOT_INO, { uid, gid });
  const asynchronous = options.delayMs !== undefined || options.hanging !== undefined;
  const vfs = asynchronous ? delayed(memory, options.delayMs ?? 0, options.hanging ?? []) : memory;
  let mount: FuseMount;
  try {
    mount = await mountFuse(
      { ...options.mount, mountpoint, vfs, clock: systemClock, log: createLog("fuse-server") },
      options.driver ?? "channel",
    );
  } catch (error) {
    sendFailure(error);
    if (process.connected) process.disconnect();
    return;
  }
  let obeyed = Promise.resolve();
  process.on("message", (command: FuseServerCommand) => {
    obeyed = obey(command, mount, memory).catch(sendFailure);
  });
  process.on("SIGTERM", () => void mount.unmount({ lazy: true }));
  send({ type: "mounted" });
  if (process.send === undefined) process.stdout.write("mounted\n");
  await mount.closed;
  await obeyed;
  send({ type: "closed" });
  if (process.connected) process.disconnect();
  // fuse-native leaves something behind that would keep the process alive.
  if (options.driver === "fuse-native") process.exit(0);
}

await main();
