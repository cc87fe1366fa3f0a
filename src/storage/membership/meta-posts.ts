// How a node asks its metadata server: JSON over HTTP.
import { request } from "undici";
import { API_BASE } from "../../protocol/admin/admin-api.ts";

export interface PostReply {
  readonly status: number;
  readonly body: unknown;
}

/** POSTs to a path of the API; rejects when no answer comes, or with the signal's reason. */
export type PostToMeta = (path: string, body: unknown, signal: AbortSignal) => Promise<PostReply>;

export function postTo(metaUrl: string): PostToMeta {
  return async (path, body, signal) => {
    const { statusCode, body: answer } = await request(new URL(API_BASE + path, metaUrl), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal,
    });
    return { status: statusCode, body: parsed(await answer.text()) };
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
