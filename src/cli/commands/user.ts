// dfs user add|ls|passwd|rm. On a fresh cluster the first `add` needs no login and makes the admin.
import type { Command } from "commander";
import { AdminClient } from "../../protocol/admin/admin-client.ts";
import { clientName, Credentials, requireLogin } from "../session/credentials.ts";
import { addJsonOption, addMetaOption } from "../terminal/options.ts";
import { formatTable, printJson, printLine } from "../terminal/output.ts";
import { readPassword } from "../terminal/password.ts";

interface UserOptions {
  meta?: string;
  json?: boolean;
  passwordStdin?: boolean;
}

export function define(command: Command): void {
  const passwordOption = ["--password-stdin", "read the password from stdin"] as const;
  addMetaOption(command.command("add").description("add a user; the first one is the admin"))
    .argument("<name>")
    .option(...passwordOption)
    .action(add);
  addJsonOption(addMetaOption(command.command("ls").description("list the users"))).action(list);
  addMetaOption(command.command("passwd").description("set a password"))
    .argument("<name>")
    .option(...passwordOption)
    .action(setPassword);
  addMetaOption(command.command("rm").description("remove a user and revoke their logins"))
    .argument("<name>")
    .action(remove);
}

function newPassword(name: string, options: UserOptions): Promise<string> {
  return readPassword({
    fromStdin: options.passwordStdin === true,
    prompt: `New password of ${name}: `,
    confirm: true,
  });
}

async function add(name: string, options: UserOptions): Promise<void> {
  const credentials = await Credentials.open();
  const { url, token } = credentials.connection(options.meta);
  const password = await newPassword(name, options);
  await new AdminClient(url, token).addUser(name, password);
  printLine(`added ${name}`);
  if (token !== undefined) return;
  // Without a login this was the first admin, who would type the same password again at once.
  const login = await new AdminClient(url).login(name, password, clientName());
  await credentials.save(url, { user: name, token: login.token });
  printLine(`logged in to ${url} as ${name}, the admin`);
}

async function list(options: UserOptions): Promise<void> {
  const { url, token } = await requireLogin(options.meta);
  const users = await new AdminClient(url, token).listUsers();
  if (options.json === true) printJson(users);
  else printLine(formatTable([["name", "role"], ...users.map(({ name, role }) => [name, role])]));
}

async function setPassword(name: string, options: UserOptions): Promise<void> {
  const { url, token } = await requireLogin(options.meta);
  const password = await newPassword(name, options);
  await new AdminClient(url, token).setPassword(name, password);
  printLine(`set the password of ${name}`);
}

async function remove(name: string, options: UserOptions): Promise<void> {
  const { url, token } = await requireLogin(options.meta);
  await new AdminClient(url, token).removeUser(name);
  printLine(`removed ${name}`);
}
