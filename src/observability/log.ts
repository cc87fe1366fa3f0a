// The process's log: structured lines on stderr, pretty-printing left to the reader's tools.
import { destination, pino, type Logger } from "pino";

export type Log = Logger;

/**
 * Level from DFS_LOG (trace…fatal, silent), `info` unless set. Synchronous, so that a crash loses
 * nothing.
 */
export function createLog(name: string): Log {
  return pino(
    { name, level: process.env["DFS_LOG"] ?? "info", base: { pid: process.pid } },
    destination({ dest: 2, sync: true }),
  );
}

export const silentLog: Log = pino({ level: "silent" });
