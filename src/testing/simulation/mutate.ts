// Imported before a program (node --import): runs it with the mutation of DFS_MUTATION in place.
import { register } from "node:module";
import type { Mutation } from "./mutant-hooks.ts";

const text = process.env["DFS_MUTATION"];
if (text !== undefined) {
  const data = JSON.parse(text) as Mutation; // the test's own
  register("./mutant-hooks.js", import.meta.url, { data });
}
