// A signal that one gives and many heed.
import { setMaxListeners } from "node:events";

/** Any number may listen: as many as there are requests under way. */
export function sharedAbort(): AbortController {
  const controller = new AbortController();
  // Node takes more than ten listeners for a leak, and warns.
  setMaxListeners(0, controller.signal);
  return controller;
}
