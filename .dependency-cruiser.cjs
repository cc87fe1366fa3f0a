// Layers of ARCHITECTURE.md: a file imports strictly downward; siblings of one rank never import
// each other.
const ranks = [
  ["domain"],
  ["platform", "codec", "placement"],
  ["auth", "observability"],
  ["protocol"],
  ["meta", "storage", "stripes"],
  ["vfs", "jobs"],
  ["fuse", "files"],
  ["rest", "gateway", "console"],
  ["app"],
  ["cli"],
];

const layerRules = ranks.flatMap((layers, rank) =>
  layers.map((layer) => {
    const forbidden = ranks
      .slice(rank)
      .flat()
      .filter((other) => other !== layer);
    return {
      name: `${layer}-imports-downward`,
      severity: "error",
      from: { path: `^src/${layer}/`, pathNot: "\\.test\\.ts$" },
      to: { path: `^src/(${forbidden.join("|")})/` },
    };
  }),
);

module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    {
      name: "testing-only-from-tests",
      severity: "error",
      from: { pathNot: ["\\.test\\.ts$", "^src/testing/"] },
      to: { path: "^src/testing/" },
    },
    {
      name: "no-dev-dependency-in-product",
      severity: "error",
      from: { path: "^src/", pathNot: ["\\.test\\.ts$", "^src/testing/"] },
      to: {
        dependencyTypes: ["npm-dev"],
        dependencyTypesNot: ["type-only"],
        pathNot: "node_modules/@types/",
      },
    },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    ...layerRules,
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "require", "node", "default"],
    },
  },
};
