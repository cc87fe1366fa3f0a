// dfs whoami: asks the server, so that a revoked login shows.
import type { Command } from "commander";
import { AdminClient } from "../../protocol/admin/admin-client.ts";
import { requireLogin } from "../session/credentials.ts";
import { addJsonOption, addMetaOption } from "../terminal/options.ts";
import { printJson, printLine } from "../terminal/output.ts";

interface WhoamiOptions {
  meta?: string;
  json?: boolean;
}

export function define(command: Command): void {
  addJsonOption(addMetaOption(command)).action(whoami);
}

async function whoami(options: WhoamiOptions): Promise<void> {
  const { url, token } = await requireLogin(options.meta);
  const { user, role } = await new AdminClient(url, token).whoami();
  if (options.json === true) printJson({ user, role, url });
  else printLine(`${user} (${role}) at ${url}`);
}
