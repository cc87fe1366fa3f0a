// Options that many commands have, worded and parsed in one place.
import { type Command, InvalidArgumentError } from "commander";
import { parseSize, parseSpan } from "./sizes.ts";

/** Adds --meta, for every command that talks to a metadata server. */
export function addMetaOption(command: Command): Command {
  return command.option(
    "--meta <url>",
    "metadata server (else DFS_META, the latest login, http://127.0.0.1:7400)",
  );
}

export function addJsonOption(command: Command): Command {
  return command.option("--json", "print JSON");
}

export function portArgument(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) {
    throw new InvalidArgumentError("A port is a number from 0 (any free one) to 65535.");
  }
  return port;
}

/** Parser of a whole number between the two, for commander. */
export function integerArgument(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

/** parseSize, whose refusal commander words. */
export function sizeArgument(text: string): number {
  try {
    return parseSize(text);
  } catch {
    throw new InvalidArgumentError("A size is written like 10G or 512MiB.");
  }
}

/** parseSpan, whose refusal commander words. */
export function spanArgument(text: string): number {
  try {
    return parseSpan(text);
  } catch {
    throw new InvalidArgumentError("A span of time is written like 12h, 30min or 1d.");
  }
}
