// A line on a terminal that says what is being done; silent elsewhere.
const REDRAW_INTERVAL_MS = 200;

export class StepLine {
  readonly #stream: NodeJS.WriteStream;
  #drawnAtMs = -Infinity;
  #isDrawn = false;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
  }

  show(text: string): void {
    const nowMs = performance.now();
    if (!this.#stream.isTTY || nowMs - this.#drawnAtMs < REDRAW_INTERVAL_MS) return;
    this.#drawnAtMs = nowMs;
    this.#isDrawn = true;
    this.#stream.write(`\r\u001b[K${text.slice(0, this.#stream.columns)}`);
  }

  /** Clears it. */
  end(): void {
    if (this.#isDrawn) this.#stream.write("\r\u001b[K");
    this.#isDrawn = false;
  }
}
