// Asking for a password: from stdin when told to, else on the terminal without echo. Never an
// argument.
import { CliError, EXIT } from "./exit-codes.ts";

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const BACKSPACES = ["\u007f", "\b"];
/** A password longer than this is a file piped in by mistake. */
const MAX_PASSWORD_CHARS = 1024;

async function readPiped(): Promise<string> {
  let text = "";
  process.stdin.setEncoding("utf8");
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.length > MAX_PASSWORD_CHARS) break;
  }
  return text.replace(/\r?\n$/, "");
}

/** Reads one line of the terminal in raw mode, so that nothing of it is shown. */
function readHidden(prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(prompt);
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  stdin.resume();
  return new Promise((resolve, reject) => {
    let typed = "";
    const finish = (): void => {
      stdin.setRawMode(false);
      stdin.pause();
      stdin.off("data", onData);
      stderr.write("\n");
    };
    const onData = (data: string): void => {
      for (const char of data) {
        if (char === CTRL_C) {
          finish();
          reject(new CliError(EXIT.failure, "interrupted"));
          return;
        }
        if (char === "\r" || char === "\n" || char === CTRL_D) {
          finish();
          resolve(typed);
          return;
        }
        typed = BACKSPACES.includes(char) ? typed.slice(0, -1) : typed + char;
      }
    };
    stdin.on("data", onData);
  });
}

export interface PasswordRequest {
  /** Read all of stdin, less one newline at its end. */
  fromStdin: boolean;
  prompt: string;
  /** Ask twice: a new password. */
  confirm?: boolean;
}

/** @throws CliError (usage) when there is no terminal to ask on, or the password is unusable */
export async function readPassword(request: PasswordRequest): Promise<string> {
  if (!request.fromStdin && !process.stdin.isTTY) {
    throw new CliError(
      EXIT.usage,
      "no terminal to ask for the password on",
      "Pipe it in with --password-stdin.",
    );
  }
  const password = request.fromStdin ? await readPiped() : await readHidden(request.prompt);
  if (password === "") throw new CliError(EXIT.usage, "the password is empty");
  if (password.length > MAX_PASSWORD_CHARS) {
    throw new CliError(EXIT.usage, `the password is longer than ${MAX_PASSWORD_CHARS} characters`);
  }
  if (request.confirm === true && !request.fromStdin) {
    const again = await readHidden("The same again: ");
    if (again !== password) throw new CliError(EXIT.usage, "the two passwords differ");
  }
  return password;
}
