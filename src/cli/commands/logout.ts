// dfs logout: revokes the token at the server and forgets it here.
import type { Command } from "commander";
import { isFsError } from "../../domain/errno.ts";
import { AdminClient } from "../../protocol/admin/admin-client.ts";
import { Credentials } from "../session/credentials.ts";
import { CliError, EXIT } from "../terminal/exit-codes.ts";
import { addMetaOption } from "../terminal/options.ts";
import { printLine } from "../terminal/output.ts";

interface LogoutOptions {
  meta?: string;
}

export function define(command: Command): void {
  addMetaOption(command).action(logout);
}

async function logout(options: LogoutOptions): Promise<void> {
  const credentials = await Credentials.open();
  const { url, token } = credentials.connection(options.meta);
  if (token === undefined) throw new CliError(EXIT.auth, `not logged in to ${url}`);
  try {
    await new AdminClient(url, token).logout();
  } catch (error) {
    // A token that the server doesn't know any more is as good as revoked.
    if (!isFsError(error, "EACCES", "EPERM")) throw error;
  }
  await credentials.forget(url);
  printLine(`logged out of ${url}`);
}
