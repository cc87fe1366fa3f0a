// Heads as servers send them, and as they must not.
import test from "ava";
import { isFsError } from "../../domain/errno.ts";
import { parseResponseHead } from "./response-head.ts";

test("a head gives its status, its length and its headers in lower case", (t) => {
  const text = "HTTP/1.1 206 Partial Content\r\nContent-Length: 12\r\nX-A:b\r\nx-c:  d \t";
  const head = parseResponseHead(text);
  t.like(head, { status: 206, contentLength: 12, keepAlive: true });
  t.is(head.headers.get("x-a"), "b");
  t.is(head.headers.get("x-c"), "d");
});

test("a server that closes afterwards is believed", (t) => {
  const text = "HTTP/1.1 200 OK\r\nconnection: Close\r\ncontent-length: 0";
  t.false(parseResponseHead(text).keepAlive);
});

test("what a node never sends is EPROTO", (t) => {
  const length = "\r\ncontent-length: 1";
  for (const text of [
    "",
    `HTTP/1.0 200 OK${length}`,
    `HTTP/2 200 OK${length}`,
    `HTTP/1.1 20 OK${length}`,
    `HTTP/1.1 100 Continue${length}`,
    "HTTP/1.1 200 OK",
    "HTTP/1.1 200 OK\r\ncontent-length: -1",
    "HTTP/1.1 200 OK\r\ncontent-length: 1e3",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked",
    `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked${length}`,
    `HTTP/1.1 200 OK\r\nno colon${length}`,
    `HTTP/1.1 200 OK\r\n folded: x${length}`,
  ]) {
    const error = t.throws(() => parseResponseHead(text), undefined, text);
    t.true(isFsError(error, "EPROTO"), text);
  }
});
