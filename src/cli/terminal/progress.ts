// The progress line of a copy on a terminal: how far, how fast, how long still. Silent elsewhere.
import { formatBytes, formatRate, formatSpan } from "./sizes.ts";

const REDRAW_INTERVAL_MS = 200;
/** The rate is that of about the last seconds, so that it follows a change. */
const RATE_WINDOW_MS = 3000;

interface Sample {
  atMs: number;
  bytes: number;
}

/** What the line shows; pure, so that it can be tested without a terminal. */
export function progressLine(
  label: string,
  doneBytes: number,
  totalBytes: number | undefined,
  bytesPerSecond: number,
): string {
  const rate = formatRate(bytesPerSecond);
  if (totalBytes === undefined) return `${label}  ${formatBytes(doneBytes)}  ${rate}`;
  const percent = totalBytes === 0 ? 100 : Math.floor((doneBytes / totalBytes) * 100);
  const restMs = ((totalBytes - doneBytes) / bytesPerSecond) * 1000;
  const eta = Number.isFinite(restMs) ? `  ETA ${restMs < 500 ? "0 s" : formatSpan(restMs)}` : "";
  const amount = `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`;
  return `${label}  ${percent}%  ${amount}  ${rate}${eta}`;
}

export class Progress {
  readonly #stream: NodeJS.WriteStream;
  #label = "";
  #totalBytes: number | undefined;
  #doneBytes = 0;
  #drawnAtMs = 0;
  #samples: Sample[] = [];

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
  }

  /** `totalBytes` undefined: unknown, as from a pipe. */
  begin(label: string, totalBytes: number | undefined): void {
    this.#label = label;
    this.#totalBytes = totalBytes;
    this.#doneBytes = 0;
    this.#drawnAtMs = 0;
    this.#samples = [{ atMs: performance.now(), bytes: 0 }];
  }

  advance(bytes: number): void {
    this.#doneBytes += bytes;
    const nowMs = performance.now();
    if (!this.#stream.isTTY || nowMs - this.#drawnAtMs < REDRAW_INTERVAL_MS) return;
    this.#drawnAtMs = nowMs;
    this.#samples.push({ atMs: nowMs, bytes: this.#doneBytes });
    this.#samples = this.#samples.filter((sample) => nowMs - sample.atMs <= RATE_WINDOW_MS);
    this.#draw(this.#rate(nowMs));
  }

  /** Draws the final state and leaves the line. */
  end(): void {
    if (!this.#stream.isTTY) return;
    this.#draw(this.#rate(performance.now()));
    this.#stream.write("\n");
  }

  #rate(nowMs: number): number {
    const oldest = this.#samples[0];
    if (oldest === undefined || nowMs <= oldest.atMs) return 0;
    return ((this.#doneBytes - oldest.bytes) / (nowMs - oldest.atMs)) * 1000;
  }

  #draw(bytesPerSecond: number): void {
    const line = progressLine(this.#label, this.#doneBytes, this.#totalBytes, bytesPerSecond);
    this.#stream.write(`\r\u001b[K${line.slice(0, this.#stream.columns)}`);
  }
}
