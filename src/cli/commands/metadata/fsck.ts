// dfs fsck: is everything still as it must be? Metadata first, then the shards on the nodes.
import { resolve } from "node:path";
import type { Command } from "commander";
import {
  checkData,
  checkRounds,
  openCopied,
  openStopped,
  type CheckedMetadata,
  type DataReport,
  type MetadataReport,
} from "../../../app/check-cluster.ts";
import { ScratchDirectory } from "../../../app/survey-blocks.ts";
import { AdminClient } from "../../../protocol/admin/admin-client.ts";
import { interruptSignal } from "../../process/signals.ts";
import { requireLogin } from "../../session/credentials.ts";
import { CliError, EXIT } from "../../terminal/exit-codes.ts";
import { addJsonOption, addMetaOption } from "../../terminal/options.ts";
import { printable, printJson, printLine } from "../../terminal/output.ts";
import { StepLine } from "../../terminal/step-line.ts";
import { describeLost, describeSurvey, lostOf } from "./survey-text.ts";

interface FsckOptions {
  meta?: string;
  json?: boolean;
  data?: string;
  repair?: boolean;
  verify?: boolean;
  metadataOnly?: boolean;
  scratch?: string;
}

/** Rounds whose findings are told in JSON; of further ones their counts. */
const MAX_ROUNDS_TOLD = 8;

export function define(command: Command): void {
  command
    .option("--repair", "put right what can be: in doubt as /lost+found-…, shards from the trash")
    .option("--verify", "have the nodes read every shard and compare its checksums: slow")
    .option("--metadata-only", "don't look at the nodes")
    .option("--data <dir>", "check the metadata of a server that is stopped, in its directory")
    .option("--scratch <dir>", "where a copy of the metadata is put meanwhile (else the system's)")
    .action(fsck);
  addJsonOption(addMetaOption(command));
}

async function fsck(options: FsckOptions): Promise<void> {
  if (options.data !== undefined && options.meta !== undefined) {
    throw new CliError(EXIT.usage, "--data is for a stopped server, --meta for a running one");
  }
  const signal = interruptSignal();
  await using scratch = await ScratchDirectory.make(options.scratch);
  const open = await opener(options, scratch);
  const rounds: MetadataReport[] = [];
  await using checked = await checkAll(open, options, rounds);
  const data =
    options.metadataOnly === true
      ? undefined
      : await lookAtNodes(checked, options, scratch, signal);
  const left = leftOf(rounds);
  if (options.json === true) printJson({ metadata: rounds, data: data && jsonOf(data), left });
  else printEnd(rounds, left, options, data);
  if (left > 0 || (data !== undefined && !isWhole(data))) process.exitCode = EXIT.degraded;
}

type Open = (round: number) => Promise<CheckedMetadata>;

async function opener(options: FsckOptions, scratch: ScratchDirectory): Promise<Open> {
  const { data } = options;
  if (data !== undefined) return () => openStopped(resolve(data));
  const { url, token } = await requireLogin(options.meta);
  const admin = new AdminClient(url, token);
  return (round) => openCopied(admin, scratch, round);
}

/** Adds each round's report to `rounds`. */
async function checkAll(
  open: Open,
  options: FsckOptions,
  rounds: MetadataReport[],
): Promise<CheckedMetadata> {
  const steps = new StepLine();
  return await checkRounds(open, options.repair === true, {
    onCheck: (name) => steps.show(`checking the metadata: ${name}`),
    onRound: (report) => {
      steps.end();
      rounds.push(rounds.length < MAX_ROUNDS_TOLD ? report : { ...report, findings: [] });
      if (options.json !== true) printFindings(report);
    },
  });
}

function printFindings({ findings, count }: MetadataReport): void {
  for (const { what, path, how, repaired } of findings) {
    printLine(printable(path === undefined ? what : `${path}: ${what}`));
    if (how === undefined) printLine("  can't be repaired: nothing left says how it was");
    else if (repaired) printLine(`  repaired: ${how}`);
    else printLine(`  with --repair ${how}`);
  }
  const more = count - findings.length;
  if (more > 0) printLine(`and ${more} more`);
}

async function lookAtNodes(
  metadata: CheckedMetadata,
  { verify = false, repair = false }: FsckOptions,
  scratch: ScratchDirectory,
  signal: AbortSignal,
): Promise<DataReport> {
  const steps = new StepLine();
  const what = verify ? "verifying shards" : "looking for shards";
  const show = (done: number, total: number): void => {
    steps.show(`${what}: ${done} of ${total} placement groups`);
  };
  try {
    return await checkData(metadata, { verify, repair }, scratch, show, signal);
  } finally {
    steps.end();
  }
}

/** Problems that the last round found, and left. */
function leftOf(rounds: readonly MetadataReport[]): number {
  const last = rounds.at(-1);
  return last === undefined ? 0 : last.count - last.repaired;
}

function isWhole({ survey, missing }: DataReport): boolean {
  const { short, unreadable, spoilt, unreachable } = survey;
  return short + unreadable.size + spoilt + unreachable.length + missing.length === 0;
}

function jsonOf({ survey, lost, missing }: DataReport): unknown {
  return { ...survey, unreadable: [...survey.unreadable], ...lostOf(lost), missing };
}

function printEnd(
  rounds: readonly MetadataReport[],
  left: number,
  options: FsckOptions,
  data: DataReport | undefined,
): void {
  const repaired = rounds.reduce((sum, round) => sum + round.repaired, 0);
  if (left === 0 && repaired === 0) printLine("metadata: nothing is wrong");
  else {
    const todo = options.repair === true ? "" : "; run it with --repair";
    printLine(`metadata: ${repaired} problems repaired, ${left} left${left > 0 ? todo : ""}`);
  }
  if (data === undefined) return;
  for (const { why } of data.missing) printLine(`node missing: ${why}`);
  for (const line of describeSurvey(data.survey)) printLine(line);
  for (const line of describeLost(data.lost)) printLine(line);
}
