// dfs info FILE: stripes, shards, nodes, and whether each shard is where it should be.
import type { Command } from "commander";
import { ShardQueries } from "../../app/shard-queries.ts";
import { EXIT } from "../terminal/exit-codes.ts";
import { describeFile, type FileLayout } from "../../files/file-layout.ts";
import { withFileSystem } from "../session/file-system.ts";
import { addJsonOption, addMetaOption } from "../terminal/options.ts";
import { formatTable, printJson, printLine } from "../terminal/output.ts";
import { formatPath } from "../../files/file-path.ts";
import { parseRemotePath } from "../session/remote-path.ts";
import { formatBytes } from "../terminal/sizes.ts";

interface InfoOptions {
  meta?: string;
  json?: boolean;
}

interface FileInfo extends FileLayout {
  path: string;
  ino: number;
  sizeBytes: number;
}

export function define(command: Command): void {
  command.argument("<file>", "path in the file system").action(info);
  addJsonOption(addMetaOption(command));
}

async function info(file: string, options: InfoOptions): Promise<void> {
  const remote = parseRemotePath(file);
  const result = await withFileSystem(options.meta, async (fs): Promise<FileInfo> => {
    const attr = await fs.walker.resolve(remote);
    await using nodes = new ShardQueries(fs.session.meta.clusterId);
    const layout = await describeFile(fs.session.meta, attr, nodes.headMany);
    const { ino, sizeBytes } = attr;
    return { path: formatPath(remote), ino, sizeBytes, ...layout };
  });
  if (options.json === true) printJson(result);
  else printInfo(result);
  const isWhole = result.stripes.every(({ shards }) => shards.every((s) => s.state === "present"));
  if (!isWhole) process.exitCode = EXIT.degraded;
}

function printInfo(info: FileInfo): void {
  printLine(`${info.path}: inode ${info.ino}, ${formatBytes(info.sizeBytes)}`);
  const inline = info.extents.filter((extent) => extent.inline);
  if (inline.length > 0) {
    const bytes = inline.reduce((sum, extent) => sum + extent.lengthBytes, 0);
    printLine(`${formatBytes(bytes)} of it kept in the metadata record, without stripes`);
  }
  for (const stripe of info.stripes) {
    const { slice, index, lengthBytes, pool, pg } = stripe;
    const size = formatBytes(lengthBytes);
    printLine(`\nstripe ${slice}-${index}: ${size}, pool ${pool}, placement group ${pg}`);
    const rows = stripe.shards.map((shard) => [
      `  ${shard.slot}`,
      shard.kind,
      shard.state,
      shard.node ?? "no node",
      shard.url ?? "",
      shard.shard,
    ]);
    printLine(formatTable(rows));
  }
}
