// The little language of the POSIX cases: a case is a list of lines, each a system call by somebody
// and what it gives. Parses lines and judges what came of them; calls nothing.
//
//   [@uid[:gid[,group]…]] call[:handle] argument… [= expected]
//
// Nobody named: root. Nothing expected: success. Expected are errnos (`EEXIST|ENOTEMPTY`), the text
// that the call returns, or of a stat call attributes (`mode=0644 nlink=2`). In arguments `\xff` is
// a byte, `\n` a newline, `\_` a blank, `{x*255}` the text x 255 times.

export interface Step {
  readonly line: string;
  /** uid, gid, supplementary groups. */
  readonly as: readonly [number, number, readonly number[]];
  readonly op: string;
  readonly label: string | null;
  readonly args: readonly string[];
  readonly expected: string | undefined;
}

/** What a call came to: an errno, or its value. */
export interface Answer {
  readonly errno?: string;
  readonly value?: string | number | null | Readonly<Record<string, string | number>>;
}

/** Title and lines of each case. */
export type Cases = Readonly<Record<string, string>>;

const WHO = /^@(\d+)(?::(\d+)((?:,\d+)*))?$/;
const ERRNOS = /^E[A-Z0-9]+(\|E[A-Z0-9]+)*$/;

function unescape(word: string): string {
  return word
    .replace(/\{(.+?)\*(\d+)\}/g, (_, text: string, count: string) => text.repeat(Number(count)))
    .replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replaceAll("\\n", "\n")
    .replaceAll("\\_", " ");
}

function parseLine(line: string): Step {
  const [action = "", ...rest] = line.split(" = ");
  const words = action.split(/ +/);
  const who = WHO.exec(words[0] ?? "");
  if (who !== null) words.shift();
  const [, uid = "0", gid = uid, groups = ""] = who ?? [];
  const [op = "", label = null] = (words.shift() ?? "").split(":");
  const supplementary = groups.split(",").filter((group) => group !== "");
  return {
    line,
    as: [Number(uid), Number(gid), supplementary.map(Number)],
    op,
    label,
    args: words.map(unescape),
    expected: rest.length === 0 ? undefined : unescape(rest.join(" = ")),
  };
}

export function parseCase(text: string): Step[] {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "").map(parseLine);
}

function show({ errno, value }: Answer): string {
  return errno ?? (typeof value === "string" ? value : JSON.stringify(value));
}

function isAsExpected({ op, expected }: Step, answer: Answer): boolean {
  const { errno, value } = answer;
  if (expected !== undefined && ERRNOS.test(expected)) {
    return errno !== undefined && expected.split("|").includes(errno);
  }
  if (errno !== undefined) return false;
  if (expected === undefined) return true;
  if (!/^[lf]?stat$/.test(op)) return show(answer) === expected;
  const attributes = typeof value === "object" ? (value ?? {}) : {};
  return expected.split(" ").every((word) => {
    const [key = "", wanted] = word.split("=");
    return String(attributes[key]) === wanted;
  });
}

/** The first thing that went otherwise, or undefined. */
export function judge(steps: readonly Step[], answers: readonly Answer[]): string | undefined {
  for (const [index, step] of steps.entries()) {
    const answer = answers[index] ?? { errno: "no answer" };
    if (!isAsExpected(step, answer)) return `${step.line.slice(0, 200)}   came to ${show(answer)}`;
  }
  return undefined;
}
