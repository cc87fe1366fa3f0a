// Paths inside the file system, as commands are given them: absolute, with or without "dfs:".
import { nameFromUtf8 } from "../../domain/name.ts";
import { type FilePath, splitPath } from "../../files/file-path.ts";
import { CliError, EXIT } from "../terminal/exit-codes.ts";

/** @throws CliError (usage) when the path isn't absolute */
export function parseRemotePath(text: string): FilePath {
  const path = text.startsWith("dfs:") ? text.slice("dfs:".length) : text;
  if (!path.startsWith("/")) {
    throw new CliError(
      EXIT.usage,
      `"${text}" is not an absolute path of the file system`,
      "Write it like /backup/file or dfs:/backup/file.",
    );
  }
  return splitPath(path).map(nameFromUtf8);
}
