// Tests run from the compiled tree; `npm run build` comes first. End-to-end: ava.e2e.config.js.
export default {
  files: ["dist/**/*.test.js", "!dist/cli/e2e/**"],
  workerThreads: false,
  timeout: "120s",
};
