// dfs bench: figures of this machine, the parts, and a demo cluster made for it.
import { resolve } from "node:path";
import type { Command } from "commander";
import { runBench } from "../bench/bench-run.ts";
import { formatValue, type Metric } from "../bench/metric.ts";
import { addJsonOption } from "../terminal/options.ts";
import { printJson, printLine } from "../terminal/output.ts";

interface BenchOptions {
  json?: boolean;
  quick?: boolean;
  against?: string;
  dir?: string;
}

export function define(command: Command): void {
  addJsonOption(command)
    .option("--quick", "smaller sizes: about a minute")
    .option("--against <dir>", "measure this directory the same way, in the same run")
    .option(
      "--dir <dir>",
      "where the cluster's files go for the time (else the temporary directory)",
    )
    .action(bench);
}

async function bench(options: BenchOptions): Promise<void> {
  const all: Metric[] = [];
  await runBench({
    quick: options.quick === true,
    against: options.against === undefined ? undefined : resolve(options.against),
    directory: options.dir === undefined ? undefined : resolve(options.dir),
    report: (metrics) => {
      all.push(...metrics);
      if (options.json !== true) for (const metric of metrics) printLine(formatMetric(metric));
    },
  });
  if (options.json === true) printJson(all);
}

function formatMetric({ subject, name, value, unit }: Metric): string {
  return `${subject.padEnd(8)}  ${name.padEnd(44)}  ${formatValue(value).padStart(8)} ${unit}`;
}
