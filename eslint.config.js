// What ESLint checks. Layers are in .dependency-cruiser.cjs, the rest of the house rules in
// src/testing/tidy.
import js from "@eslint/js";
import tseslint from "typescript-eslint";

/**
 * The doors of the world: what each gives, by global, syntax and module. Product code gets it from
 * src/platform, so that tests and a simulation can own it; the files of EDGES open a door
 * themselves. A module's types may be imported anywhere.
 */
const DOORS = {
  time: {
    globals: ["performance", "setTimeout", "setInterval", "setImmediate"],
    syntax: [
      "MemberExpression[object.name='Date'][property.name='now']",
      "NewExpression[callee.name='Date'][arguments.length=0]",
      "MemberExpression[object.name='AbortSignal'][property.name='timeout']",
      "MemberExpression[object.name='process'][property.name='hrtime']",
    ],
    modules: ["node:timers", "node:timers/promises", "node:perf_hooks"],
    names: { "node:os": ["uptime"] },
    use: "Clock and deadline of src/platform",
  },
  randomness: {
    globals: ["crypto"],
    syntax: ["MemberExpression[object.name='Math'][property.name='random']"],
    modules: [],
    names: {
      "node:crypto": [
        "randomBytes",
        "randomInt",
        "randomUUID",
        "randomFill",
        "randomFillSync",
        "getRandomValues",
        "webcrypto",
      ],
    },
    use: "Random of src/platform",
  },
  disk: {
    modules: ["node:fs", "node:fs/promises"],
    use: "Disk of src/platform/disk",
  },
  sockets: {
    modules: ["node:net", "node:http", "node:https", "node:tls", "node:dgram", "ws", "undici"],
    use: "an interface that an edge file implements",
  },
  store: {
    modules: ["lmdb"],
    use: "the store that an edge file opens",
  },
  system: {
    names: {
      "**/platform/clock.ts": ["systemClock"],
      "**/platform/random.ts": ["systemRandom"],
      "**/platform/disk/system-disk.ts": ["systemDisk"],
      "**/platform/store/open-lmdb-store.ts": ["openLmdbStore"],
    },
    use: "what the constructor is given; composition roots alone pass the machine's own",
  },
};

/** Files that open doors themselves, which doors, and why. */
const EDGES = [
  ["src/platform/clock.ts", ["time"], "Clock over Node's timers"],
  ["src/platform/random.ts", ["randomness"], "Random over node:crypto"],
  ["src/platform/disk/system-disk.ts", ["disk"], "Disk over node:fs"],
  ["src/platform/store/open-lmdb-store.ts", ["store"], "OrderedStore over lmdb"],
  ["src/platform/store/lmdb-file.ts", ["disk"], "looks at the file before lmdb maps it"],
  ["src/app/**", ["system"], "composition roots pass the machine's own clock, disk and randomness"],
  ["src/app/survey-blocks.ts", ["disk", "system"], "scratch directories of this machine"],
  ["src/app/metadata-server.ts", ["sockets", "system"], "the listening socket of its HTTP server"],
  // Programs at a terminal of this machine; nothing below the cli imports them.
  ["src/cli/main.ts", ["disk"], "reads package.json for --version"],
  ["src/cli/commands/{get,put}.ts", ["disk"], "looks whether a local path is a directory"],
  [
    "src/cli/commands/mount.ts",
    ["time", "disk"],
    "the real path of the mountpoint; pauses of an unmount",
  ],
  ["src/cli/bench/*.ts", ["time", "disk", "system"], "measures this machine"],
  ["src/cli/process/*.ts", ["disk"], "logs of daemons, and /proc"],
  ["src/cli/process/daemon.ts", ["time", "disk"], "a daemon that isn't ready in time"],
  ["src/cli/session/*.ts", ["disk", "system"], "local files that are copied, and credentials"],
  ["src/cli/terminal/{progress,step-line}.ts", ["time"], "progress is drawn as time passes"],
  ["src/cli/demo/*.ts", ["time", "disk", "sockets", "system"], "a cluster of local processes"],
  // The kernel's side of a mount: it exists on a real machine only.
  ["src/fuse/mounting/*.ts", ["disk"], "mount programs, mount table and /proc"],
  ["src/fuse/mounting/stale-mount.ts", ["time", "disk"], "a dead mount may never answer"],
  ["src/fuse/channel/connect.ts", ["disk"], "opens /dev/fuse"],
  ["src/fuse/channel/channel-mount.ts", ["disk"], "the real path of the mountpoint"],
  ["src/fuse/channel/interrupts.ts", ["disk"], "asks /proc whether the caller is dying"],
  ["src/fuse/fuse-native/fuse-native-mount.ts", ["disk"], "mountpoint and /proc"],
  // Sockets: each stands behind an interface that its callers see.
  ["src/protocol/admin/admin-client.ts", ["sockets"], "HTTP client of the metadata server"],
  ["src/protocol/shard/shard-http-client.ts", ["sockets"], "ShardService over HTTP: undici's pool"],
  ["src/protocol/shard/ask-node-name.ts", ["sockets"], "asks an address which node it is"],
  ["src/protocol/rpc/web-sockets.ts", ["sockets"], "MessageSocket over ws"],
  ["src/protocol/shard/shard-get-connection.ts", ["sockets"], "its lean connection for reads"],
  ["src/storage/membership/meta-posts.ts", ["sockets"], "HTTP client of the metadata server"],
  ["src/storage/membership/data-lock.ts", ["sockets", "disk"], "a lock that the kernel frees"],
  ["src/storage/http/node-server.ts", ["sockets"], "a node's listening socket"],
];

/** Rules that keep all doors shut but `open`. */
function shutAllBut(open) {
  const shut = Object.entries(DOORS).filter(([name]) => !open.includes(name));
  const each = (part, rule) =>
    shut.flatMap(([, door]) => (door[part] ?? []).map((item) => rule(item, `Use ${door.use}.`)));
  const named = shut.flatMap(([, door]) =>
    Object.entries(door.names ?? {}).map(([module, importNames]) => ({
      group: [module],
      importNames,
      message: `Use ${door.use}.`,
    })),
  );
  // An empty list would keep that of an earlier entry.
  const listed = (items) => (items.length === 0 ? "off" : ["error", ...items]);
  const asGlobal = (name, message) => ({ name, message });
  const asSyntax = (selector, message) => ({ selector, message });
  const asModule = (name, message) => ({ name, message, allowTypeImports: true });
  return {
    "no-restricted-globals": listed(each("globals", asGlobal)),
    "no-restricted-syntax": listed(each("syntax", asSyntax)),
    "@typescript-eslint/no-restricted-imports": [
      "error",
      { paths: each("modules", asModule), patterns: named },
    ],
  };
}

export default tseslint.config(
  { ignores: ["dist", "build", "coverage", "node_modules"] },
  js.configs.recommended,
  {
    files: ["src/**/*.ts"],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { project: "./tsconfig.json", tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      "max-lines": ["error", { max: 400 }],
      "max-lines-per-function": ["error", { max: 70, skipBlankLines: true, skipComments: true }],
      "no-restricted-exports": ["error", { restrictDefaultExports: { direct: true, named: true } }],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
    },
  },
  {
    files: ["src/**/*.test.ts", "src/testing/**/*.ts"],
    rules: {
      "max-lines-per-function": "off",
      "@typescript-eslint/require-await": "off",
    },
  },
  {
    files: ["*.js", "scripts/**"],
    languageOptions: { globals: { process: "readonly", console: "readonly" } },
  },
  { files: ["src/**/*.ts"], rules: shutAllBut([]) },
  ...EDGES.map(([file, open]) => ({ files: [file], rules: shutAllBut(open) })),
  { files: ["src/**/*.test.ts", "src/testing/**/*.ts"], rules: shutAllBut(Object.keys(DOORS)) },
);
