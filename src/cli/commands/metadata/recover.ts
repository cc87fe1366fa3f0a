// dfs recover: a metadata server's data directory from nothing but the storage nodes.
import { resolve } from "node:path";
import type { Command } from "commander";
import { recoverCluster, type RecoverReport } from "../../../app/recover-cluster.ts";
import { interruptSignal } from "../../process/signals.ts";
import { normalizeMetaUrl } from "../../session/credentials.ts";
import { EXIT } from "../../terminal/exit-codes.ts";
import { addJsonOption } from "../../terminal/options.ts";
import { printJson, printLine } from "../../terminal/output.ts";
import { StepLine } from "../../terminal/step-line.ts";
import { describeCopy } from "./backup.ts";
import { describeNewLife } from "./restore.ts";
import { describeLost, describeSurvey, lostOf } from "./survey-text.ts";

interface RecoverOptions {
  data: string;
  json?: boolean;
}

export function define(command: Command): void {
  command
    .argument("<node...>", "addresses of the storage nodes, like http://10.0.0.7:7401; all of them")
    .requiredOption("--data <dir>", "the new metadata server's data directory, empty or missing")
    .action(recover);
  addJsonOption(command);
}

async function recover(nodes: string[], options: RecoverOptions): Promise<void> {
  const dataDir = resolve(options.data);
  const steps = new StepLine();
  const report = await recoverCluster({
    dataDir,
    urls: nodes.map(normalizeMetaUrl),
    say: (line) => {
      steps.end();
      if (options.json !== true) printLine(line);
    },
    onProgress: (done, total) => steps.show(`looking for shards: ${done} of ${total} groups`),
    signal: interruptSignal(),
  }).finally(() => steps.end());
  if (options.json === true) printJson(jsonOf(report));
  else {
    printLine(describeCopy(report.copy));
    for (const line of describeNewLife(dataDir)) printLine(line);
    for (const line of describeSurvey(report.survey)) printLine(line);
    for (const line of describeLost(report.lost)) printLine(line);
  }
  if (report.lost.count > 0) process.exitCode = EXIT.degraded;
}

function jsonOf({ copy, survey, lost }: RecoverReport): unknown {
  return { copy, survey: { ...survey, unreadable: [...survey.unreadable] }, ...lostOf(lost) };
}
