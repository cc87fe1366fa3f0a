// Every command's name, its line in the help, and where its code is. The code is imported only when
// the command is called, so that starting one command doesn't pay for the others.
import type { Command } from "commander";

/** What a file under commands/ exports. */
export interface CommandModule {
  /** Adds arguments, options, subcommands and the action to the bare command. */
  define(command: Command): void;
}

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<CommandModule>;
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "meta",
    summary: "run the metadata server; back its metadata up, restore it",
    load: () => import("./commands/meta.ts"),
  },
  { name: "node", summary: "run a storage node", load: () => import("./commands/node.ts") },
  {
    name: "mount",
    summary: "mount the file system at a directory",
    load: () => import("./commands/mount.ts"),
  },
  { name: "umount", summary: "unmount it again", load: () => import("./commands/umount.ts") },
  {
    name: "status",
    summary: "health of the cluster, and what to do about it",
    load: () => import("./commands/status.ts"),
  },
  {
    name: "fsck",
    summary: "check metadata and shards, and repair them",
    load: () => import("./commands/metadata/fsck.ts"),
  },
  {
    name: "recover",
    summary: "bring a cluster back whose metadata is lost, from its storage nodes",
    load: () => import("./commands/metadata/recover.ts"),
  },
  {
    name: "user",
    summary: "add, list and remove users, set passwords",
    load: () => import("./commands/user.ts"),
  },
  { name: "login", summary: "log in to a cluster", load: () => import("./commands/login.ts") },
  { name: "logout", summary: "give the login up", load: () => import("./commands/logout.ts") },
  { name: "whoami", summary: "who is logged in", load: () => import("./commands/whoami.ts") },
  { name: "put", summary: "copy a local file in", load: () => import("./commands/put.ts") },
  { name: "get", summary: "copy a file out", load: () => import("./commands/get.ts") },
  { name: "ls", summary: "list a directory", load: () => import("./commands/ls.ts") },
  { name: "rm", summary: "remove files", load: () => import("./commands/rm.ts") },
  { name: "mkdir", summary: "make directories", load: () => import("./commands/mkdir.ts") },
  {
    name: "info",
    summary: "where a file's bytes are: stripes, shards, nodes",
    load: () => import("./commands/info.ts"),
  },
  {
    name: "demo",
    summary: "a whole cluster on this machine, for trying out",
    load: () => import("./commands/demo.ts"),
  },
  {
    name: "bench",
    summary: "measure this machine, the parts and a demo cluster",
    load: () => import("./commands/bench.ts"),
  },
];
