// How fsck and recover tell what they found on the nodes.
import type { SurveyReport } from "../../../app/survey-blocks.ts";
import type { DamagedFiles } from "../../../jobs/inventory/damaged-files.ts";
import { printable } from "../../terminal/output.ts";

export function describeSurvey(survey: SurveyReport): string[] {
  const { blocks, whole, short, unreadable, broughtBack, unexplained, spoilt, nodes } = survey;
  const lines = [`data: ${blocks} blocks, ${whole} of them whole on ${nodes} nodes`];
  if (broughtBack > 0) {
    lines.push(`  ${broughtBack} shards were brought back from the nodes' trash`);
  }
  if (short > 0)
    lines.push(`  ${short} lack shards and can be read; repair rebuilds them by itself`);
  if (spoilt > 0) lines.push(`  ${spoilt} shards didn't match their checksums, and were set aside`);
  if (unreadable.size > 0) lines.push(`  ${unreadable.size} slices can't be read: too few shards`);
  if (unexplained > 0) {
    lines.push(
      `  ${unexplained} shards belong to nothing in the metadata: being written, waiting for gc,`,
      "  or of a time that the metadata doesn't know",
    );
  }
  if (survey.unreachable.length > 0) {
    lines.push(`  nodes that failed meanwhile: ${survey.unreachable.join(", ")}; look again`);
  }
  return lines;
}

/** As JSON has it. */
export function lostOf({ count, files }: DamagedFiles): object {
  return { lost: files, lostCount: count };
}

export function describeLost({ count, files }: DamagedFiles): string[] {
  if (count === 0) return [];
  const lines = [`${count} files can't be read, or not wholly, with the nodes that answer:`];
  for (const { path, ino } of files) {
    lines.push(`  ${path === undefined ? `inode ${ino}, which has no name` : printable(path)}`);
  }
  if (count > files.length) lines.push(`  and ${count - files.length} more`);
  lines.push(
    "Start nodes that are missing, and look again: dfs fsck --repair, which looks into the nodes'",
    "trash as well. What stays so has to be written anew.",
  );
  return lines;
}
