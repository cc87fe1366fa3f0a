// Virtual time and everything that happens in it: one event after the other, each with all that its
// promises set off. A hash of them tells whether two runs were the same.
interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly label: string;
  run: (() => void) | undefined;
}

/** Work of other threads, whose results come as events. */
interface Outside {
  readonly done: Promise<unknown>;
  readonly release: () => void;
}

/** So long after the end of work in another thread its result is there. */
const OUTSIDE_MS = 0.05;
const KEPT_LINES = 400;
/** Its paths are those of a checkout. */
const STACK = "\n    at ";
/** Of FNV-1a in 32 bits. */
const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;

export class Timeline {
  nowMs = 0;
  /** How many events there were. */
  events = 0;
  /** Lines of the history, the newest of them; all with `keepAll`. */
  readonly lines: string[] = [];
  keepAll = false;
  /** Whose event it is that happens now. */
  actor: { readonly isAlive: boolean; kill(): void } | undefined;
  #hash = OFFSET;
  #order = 0;
  readonly #heap: Event[] = [];
  #outside: Outside[] = [];

  /** Of all events and notes so far. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  /** Happens after `delayMs`, behind what was planned for then before. Returns its cancel. */
  after(delayMs: number, label: string, run: () => void): () => void {
    this.#order += 1;
    const event: Event = {
      atMs: this.nowMs + Math.max(0, delayMs),
      order: this.#order,
      label,
      run,
    };
    push(this.#heap, event);
    return () => {
      event.run = undefined;
    };
  }

  /** A line of the history, which counts for the hash; not the stack of an error in it. */
  note(text: string): void {
    this.#hash = hashOf(text.split(STACK, 1).join(), this.#hash);
    this.remark(text);
  }

  /** A line of the history that is there only where somebody looks. */
  remark(text: string): void {
    this.lines.push(`${(this.nowMs / 1000).toFixed(6)} ${text}`);
    if (!this.keepAll && this.lines.length > 2 * KEPT_LINES) this.lines.splice(0, KEPT_LINES);
  }

  /** What another thread does: `release` is an event, however long `done` takes. */
  outside(done: Promise<unknown>, release: () => void): void {
    this.#outside.push({ done, release });
  }

  /** Lets things happen until `isOver` says so, or time is up. */
  async run(isOver: () => boolean, limitMs: number): Promise<void> {
    for (;;) {
      await settled();
      await this.#collect();
      if (isOver()) return;
      const event = pop(this.#heap);
      if (event === undefined) return;
      if (event.atMs > limitMs) {
        push(this.#heap, event);
        this.nowMs = limitMs;
        return;
      }
      const { run } = event;
      if (run === undefined) continue;
      this.nowMs = event.atMs;
      this.events += 1;
      this.#hash = hashOf(event.label, Math.imul(this.#hash ^ (event.atMs * 1000), PRIME));
      this.actor = undefined;
      run();
    }
  }

  /** Nothing that was planned happens. */
  clear(): void {
    this.#heap.length = 0;
    this.#outside = [];
  }

  async #collect(): Promise<void> {
    while (this.#outside.length > 0) {
      const finished = this.#outside;
      this.#outside = [];
      await Promise.allSettled(finished.map(({ done }) => done));
      for (const { release } of finished) this.after(OUTSIDE_MS, "coded", release);
      await settled();
    }
  }
}

/** Of a text behind what has `before`: an event comes by each few microseconds. */
function hashOf(text: string, before: number): number {
  let hash = before;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), PRIME);
  return hash;
}

/** Resolves when no promise and no tick has anything left to do. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function isBefore(one: Event, other: Event): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}

function push(heap: Event[], event: Event): void {
  let at = heap.length;
  heap.push(event);
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above];
    if (parent === undefined || !isBefore(event, parent)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = event;
}

function pop(heap: Event[]): Event | undefined {
  const [first] = heap;
  const last = heap.pop();
  if (first === undefined || last === undefined || heap.length === 0) return first;
  let at = 0;
  for (;;) {
    let below = 2 * at + 1;
    const [left, right] = [heap[below], heap[below + 1]];
    let child = left;
    if (left !== undefined && right !== undefined && isBefore(right, left)) {
      child = right;
      below += 1;
    }
    if (child === undefined || !isBefore(child, last)) break;
    heap[at] = child;
    at = below;
  }
  heap[at] = last;
  return first;
}
