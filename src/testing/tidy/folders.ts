// Rules on folders: how many files they have, and that they import each other in one direction. A
// folder is the files that lie flat in it: `vfs` and `vfs/read` are two.
import { join } from "node:path";
import ts from "typescript";
import { folderOf, isProduct, type Fault, type Tree } from "./tree.ts";

const MAX_FILES = 20;

/** An import of a file in another folder. */
interface Import {
  readonly path: string;
  readonly line: number;
  readonly to: string;
}

/** All imports that lead from one folder to another. */
interface Edge {
  readonly from: string;
  readonly to: string;
  readonly imports: Import[];
}

export function fullFolders(tree: Tree): Fault[] {
  const counts = new Map<string, number>();
  for (const folder of [...tree.keys()].filter(isProduct).map(folderOf)) {
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return [...counts]
    .filter(([, count]) => count > MAX_FILES)
    .map(([path, count]) => ({ path, line: 0, what: `${count} files, ${MAX_FILES} at most` }));
}

/**
 * The imports that close circles of folders. Where a circle can be cut at several of its edges, it
 * is the edge with the fewest imports; when that is gone, the rest is looked at again.
 */
export function circles(tree: Tree): Fault[] {
  // Edges that come first are cut first.
  let edges = edgesOf(tree).sort((a, b) => a.imports.length - b.imports.length);
  const faults: Fault[] = [];
  for (;;) {
    const cut = firstOnCircle(edges);
    if (cut === undefined) return faults;
    const what = `closes the circle ${cut.circle.join(" → ")}`;
    faults.push(...cut.edge.imports.map(({ path, line }) => ({ path, line, what })));
    edges = edges.filter((edge) => edge !== cut.edge);
  }
}

function edgesOf(tree: Tree): Edge[] {
  const edges = new Map<string, Edge>();
  for (const [path, text] of tree) {
    if (!isProduct(path)) continue;
    for (const each of importsOf(path, text)) {
      const from = folderOf(path);
      const edge = edges.get(`${from} ${each.to}`) ?? { from, to: each.to, imports: [] };
      edge.imports.push(each);
      edges.set(`${from} ${each.to}`, edge);
    }
  }
  return [...edges.values()];
}

function importsOf(path: string, text: string): Import[] {
  const from = folderOf(path);
  return ts.preProcessFile(text, true, true).importedFiles.flatMap(({ fileName, pos }) => {
    if (!fileName.startsWith(".")) return [];
    const to = folderOf(join(from, fileName));
    return to === from ? [] : [{ path, line: text.slice(0, pos).split("\n").length, to }];
  });
}

function firstOnCircle(edges: readonly Edge[]): { edge: Edge; circle: string[] } | undefined {
  for (const edge of edges) {
    const back = shortestWay(edges, edge.to, edge.from);
    if (back !== undefined) return { edge, circle: [edge.from, ...back] };
  }
  return undefined;
}

/** The folders on it, both ends included. */
function shortestWay(edges: readonly Edge[], from: string, to: string): string[] | undefined {
  const ways = [[from]];
  const seen = new Set([from]);
  for (const way of ways) {
    const here = way.at(-1);
    if (here === to) return way;
    for (const edge of edges.filter((each) => each.from === here && !seen.has(each.to))) {
      seen.add(edge.to);
      ways.push([...way, edge.to]);
    }
  }
  return undefined;
}
