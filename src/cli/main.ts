// Entry of the `dfs` program: parses the command line, runs one command, translates its end.
import { readFile } from "node:fs/promises";
import { Command, CommanderError } from "commander";
import { COMMANDS } from "./command-table.ts";
import {
  describeBug,
  describeError,
  EXIT,
  exitCodeOf,
  type ExitCode,
} from "./terminal/exit-codes.ts";
import { reportFailure } from "./process/readiness.ts";

async function readVersion(): Promise<string> {
  const text = await readFile(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** The program with only the called command's module loaded; the others are lines in the help. */
async function buildProgram(called: string | undefined): Promise<Command> {
  const program = new Command("dfs")
    .description("A distributed file system that you mount as a local directory")
    .helpCommand(false)
    .showHelpAfterError("(see --help)")
    // Else a command would take the options of those below it for its own.
    .enablePositionalOptions()
    .exitOverride();
  if (called === "--version" || called === "-V") program.version(await readVersion());
  else program.option("-V, --version", "print the version");
  for (const entry of COMMANDS) {
    const command = program
      .command(entry.name)
      .description(entry.summary)
      .copyInheritedSettings(program);
    if (entry.name === called) (await entry.load()).define(command);
  }
  return program;
}

function exitCodeOfParse(error: CommanderError): ExitCode {
  return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
}

async function execute(argv: readonly string[]): Promise<ExitCode> {
  try {
    const program = await buildProgram(argv[2]);
    await program.parseAsync([...argv]);
  } catch (error) {
    if (error instanceof CommanderError) return exitCodeOfParse(error);
    process.stderr.write(`${describeError(error)}\n`);
    await reportFailure(error);
    return exitCodeOf(error);
  }
  // A command that worked but reports something unhealthy sets the code itself.
  return (process.exitCode ?? EXIT.ok) as ExitCode;
}

/** Runs the command line and ends the process when the command has ended. */
export async function runCli(argv: readonly string[]): Promise<void> {
  // Whoever reads our output may leave early: `dfs ls | head`.
  process.stdout.on("error", () => process.exit(EXIT.ok));
  // Servers and mounts, which have a log, say it there instead.
  process.on("uncaughtException", (error) => {
    process.stderr.write(`${describeBug(error)}\n`);
    process.exit(EXIT.bug);
  });
  const exitCode = await execute(argv);
  // Pipes are asynchronous: what was written must be out before the process ends.
  await new Promise((resolve) => process.stdout.write("", resolve));
  process.exit(exitCode);
}
