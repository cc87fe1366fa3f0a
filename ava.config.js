// Tests run from the compiled tree; `npm run build` comes first. End-to-end: ava.e2e.config.js.
export default {
  files: ["dist/**/*.test.js", "!dist/cli/e2e/**"],
  workerThreads: false,
  // For a file that never ends, not for slow machines. No test's own timeout may be longer: ava
  // puts this one off until then, and for good where nothing happens after.
  timeout: "6m",
};
