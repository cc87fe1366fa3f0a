// Runs seeds one after the other and prints JSON lines: one for each seed that found something, and
// the sum. `node main.js FIRST COUNT [all|first|each] [FAULT,…]`; all: with the whole history of
// each; first: ends at the first finding; each, first: a line as each seed begins, too. With those
// kinds of fault instead of the seed's own.
import { crc32 } from "node:zlib";
import { pino } from "pino";
import type { Log } from "../../observability/log.ts";
import type { SimProcess } from "./machine.ts";
import { FAULTS } from "./plan.ts";
import { simulate, uncaughtInSimulation } from "./simulation.ts";

process.on("uncaughtException", (error) => {
  if (uncaughtInSimulation(error)) return;
  process.stderr.write(`${error.stack ?? error.message}\n`);
  process.exit(70);
});

const [first = "1", count = "1", how, given] = process.argv.slice(2);
const faults = given
  ?.split(",")
  .map((name) => FAULTS.find((kind) => kind === name) ?? noFault(name));

function noFault(name: string): never {
  process.stderr.write(`${name}: one of ${FAULTS.join(" ")}\n`);
  process.exit(64);
}

/** A log whose lines go where the history goes. */
function historyLog({ name, machine }: SimProcess): Log {
  const write = (line: string): void => machine.timeline.remark(line.trimEnd());
  return pino({ base: { by: name }, timestamp: false, level: "debug" }, { write });
}

function print(line: unknown): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const started = process.cpuUsage();
let found = 0;
let seeds = 0;
let hash = 0;
for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
  if (how === "first" || how === "each") print({ begins: seed });
  const options = how === "all" ? { keepAll: true, log: historyLog, faults } : { faults };
  const { lines, ...outcome } = await simulate(seed, options);
  seeds += 1;
  hash = crc32(outcome.hash, hash);
  if (how === "all") process.stdout.write(`${lines.join("\n")}\n`);
  if (outcome.findings.length === 0 && how !== "all") continue;
  print(outcome);
  if (outcome.findings.length > 0) found += 1;
  if (found > 0 && how === "first") break;
}
const { user, system } = process.cpuUsage(started);
const cpuSeconds = (user + system) / 1e6;
print({ seeds, found, hash: hash.toString(16), cpuSeconds, perCpuSecond: seeds / cpuSeconds });
