// Tests run from the compiled tree; `npm run build` comes first.
export default {
  files: ["dist/**/*.test.js"],
  workerThreads: false,
  timeout: "120s",
};
