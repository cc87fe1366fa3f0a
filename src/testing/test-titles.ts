// Titles of the project's tests, read from their sources: SEMANTICS.md names them.
import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import ts from "typescript";

const SUFFIX = ".test.ts";

/** The test files whose path ends in `name` (a stem, or folders and a stem), without `.test.ts`. */
export function findTestFiles(sources: string, name: string): string[] {
  return readdirSync(sources, { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll(sep, "/"))
    .filter((path) => `/${path}`.endsWith(`/${name}${SUFFIX}`))
    .map((path) => join(sources, path));
}

/**
 * What may be a title: the first argument of a call of test, mountTest, title and the like; the
 * first of a row of a table; a key of one. Parts of a template that vary are left out, as "…".
 */
export function readTitles(path: string): string[] {
  const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest);
  const titles: string[] = [];
  const visit = (node: ts.Node): void => {
    const title = titleOf(node, source);
    if (title !== undefined) titles.push(title);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return titles;
}

function titleOf(node: ts.Node, source: ts.SourceFile): string | undefined {
  if (ts.isCallExpression(node)) {
    const callee = node.expression.getText(source);
    return /(test|title)(\.serial)?$/i.test(callee) ? literalText(node.arguments[0]) : undefined;
  }
  if (ts.isArrayLiteralExpression(node)) return literalText(node.elements[0]);
  // A key whose value is a plain literal is data of a test, not a case.
  const isCase = ts.isPropertyAssignment(node) && !isPlainLiteral(node.initializer);
  return isCase ? literalText(node.name) : undefined;
}

function isPlainLiteral(node: ts.Expression): boolean {
  return ts.isStringLiteral(node) || ts.isNumericLiteral(node) || ts.isToken(node);
}

function literalText(node: ts.Node | undefined): string | undefined {
  if (node === undefined) return undefined;
  if (ts.isStringLiteralLike(node)) return node.text;
  if (!ts.isTemplateExpression(node)) return undefined;
  return node.templateSpans.reduce((text, span) => `${text}…${span.literal.text}`, node.head.text);
}
