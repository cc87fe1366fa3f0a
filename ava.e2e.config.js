// End-to-end tests: real processes and real mounts, two files at a time, since a machine has two
// cores.
export default {
  files: ["dist/cli/e2e/**/*.test.js"],
  workerThreads: false,
  concurrency: 2,
  timeout: "5m",
};
