// The head of an HTTP/1.1 answer, read strictly: what we don't expect of our own server is an
// error.
import { FsError } from "../../domain/errno.ts";

export interface ResponseHead {
  status: number;
  /** Names in lower case; of one that comes twice, the last. */
  headers: Map<string, string>;
  contentLength: number;
  /** The server will take another request on the connection. */
  keepAlive: boolean;
}

const STATUS_LINE = /^HTTP\/1\.1 (\d{3})(?: |$)/;
const HEADER_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/;
const LENGTH = /^\d{1,15}$/;

/**
 * Parses a head without its empty last line (RFC 9112 sections 4, 5 and 6).
 * @throws FsError EPROTO: not HTTP/1.1, interim answers, chunked or endless bodies, malformed lines
 */
export function parseResponseHead(text: string): ResponseHead {
  const [statusLine = "", ...lines] = text.split("\r\n");
  const status = Number(STATUS_LINE.exec(statusLine)?.[1] ?? 0);
  if (status < 200) throw new FsError("EPROTO", "storage node's answer has no usable status line");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = HEADER_LINE.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      throw new FsError("EPROTO", "storage node's answer has a malformed header line");
    }
    headers.set(name.toLowerCase(), value);
  }
  const length = headers.get("content-length");
  if (length === undefined || !LENGTH.test(length) || headers.has("transfer-encoding")) {
    throw new FsError("EPROTO", "storage node's answer doesn't say how long it is");
  }
  const keepAlive = headers.get("connection")?.toLowerCase() !== "close";
  return { status, headers, contentLength: Number(length), keepAlive };
}
