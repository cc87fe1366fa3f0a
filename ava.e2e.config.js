// End-to-end tests: real processes and real mounts, two files at a time, since a machine has two
// cores. The timeout is for a run in which nothing ends any more, not for slow machines; no test's
// own may be longer, but for the long forms.
export default {
  files: ["dist/cli/e2e/**/*.test.js"],
  workerThreads: false,
  concurrency: 2,
  timeout: "20m",
};
