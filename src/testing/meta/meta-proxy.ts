// A TCP proxy that misbehaves on demand: swallows answers, goes silent, cuts, refuses.
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  stalled: boolean;
}

export class MetaProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: URL;
  readonly #pairs = new Set<Pair>();
  #swallowing = false;
  #refusing = false;
  #onSwallowed: (() => void) | undefined;

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((near) => this.#accept(near));
  }

  /** Forwards to the server at `target` (http://host:port). */
  static async start(target: string): Promise<MetaProxy> {
    const proxy = new MetaProxy(target);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From now on answers vanish. Resolves when the first has: the request was executed. */
  swallowAnswers(): Promise<void> {
    this.#swallowing = true;
    return new Promise((resolve) => (this.#onSwallowed = resolve));
  }

  /** Nothing passes on the connections there are, but nobody is told; new ones work. */
  stall(): void {
    for (const pair of this.#pairs) pair.stalled = true;
  }

  /** Ends all connections at once; the next ones are well served. */
  cut(): void {
    this.#swallowing = false;
    for (const { near, far } of this.#pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  /** While true, new connections are ended at once. */
  refuse(refusing: boolean): void {
    this.#refusing = refusing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(near: Socket): void {
    near.on("error", () => near.destroy());
    if (this.#refusing) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(Number(this.#target.port), this.#target.hostname);
    far.on("error", () => far.destroy());
    const pair: Pair = { near, far, stalled: false };
    this.#pairs.add(pair);
    near.on("data", (bytes) => {
      if (!pair.stalled) far.write(bytes);
    });
    far.on("data", (bytes) => {
      if (pair.stalled) return;
      if (this.#swallowing) this.#onSwallowed?.();
      else near.write(bytes);
    });
    near.on("close", () => {
      this.#pairs.delete(pair);
      far.destroy();
    });
    far.on("close", () => {
      if (!pair.stalled) near.destroy();
    });
  }
}
