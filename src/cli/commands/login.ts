// dfs login [USER]
import { userInfo } from "node:os";
import type { Command } from "commander";
import { AdminClient } from "../../protocol/admin/admin-client.ts";
import { clientName, Credentials } from "../session/credentials.ts";
import { addJsonOption, addMetaOption } from "../terminal/options.ts";
import { printJson, printLine } from "../terminal/output.ts";
import { readPassword } from "../terminal/password.ts";

interface LoginOptions {
  meta?: string;
  json?: boolean;
  passwordStdin?: boolean;
}

export function define(command: Command): void {
  addJsonOption(addMetaOption(command))
    .argument("[user]", "who (else the name you have on this machine)")
    .option("--password-stdin", "read the password from stdin")
    .action(login);
}

async function login(given: string | undefined, options: LoginOptions): Promise<void> {
  const user = given ?? userInfo().username;
  const credentials = await Credentials.open();
  const { url } = credentials.connection(options.meta);
  const password = await readPassword({
    fromStdin: options.passwordStdin === true,
    prompt: `Password of ${user} at ${url}: `,
  });
  const { token } = await new AdminClient(url).login(user, password, clientName());
  await credentials.save(url, { user, token });
  if (options.json === true) printJson({ user, url });
  else printLine(`logged in to ${url} as ${user}`);
}
