// Lets a test see the violation that would have ended its process.
import { InvariantViolation } from "../domain/invariant.ts";
import { Turns } from "../platform/flow/turns.ts";

/** A process has one place for those who capture. */
const turns = new Turns();

/**
 * Runs `action` and resolves with the violation that it lets loose, at once or later; how the
 * action itself ends doesn't matter.
 */
export function violationOf(action: () => unknown): Promise<InvariantViolation> {
  return turns.run(() => captureViolation(action));
}

async function captureViolation(action: () => unknown): Promise<InvariantViolation> {
  // The test runner's: without them Node hands rejections over as it does exceptions.
  const listeners = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  const violation = new Promise<InvariantViolation>((resolve) => {
    process.setUncaughtExceptionCaptureCallback((error) => {
      if (!(error instanceof InvariantViolation)) throw error;
      resolve(error);
    });
  });
  try {
    void Promise.resolve()
      .then(action)
      .catch(() => undefined);
    return await violation;
  } finally {
    // Each hand that passes it on lets it loose again.
    await new Promise((resolve) => setImmediate(resolve));
    process.setUncaughtExceptionCaptureCallback(null);
    for (const listener of listeners) process.on("unhandledRejection", listener);
  }
}
