// The machine of a client: a mount without a kernel.
import { composeClient, type ClientSession } from "../../app/client-session.ts";
import type { PolicyCodecs } from "../../codec/policy-codecs.ts";
import type { Log } from "../../observability/log.ts";
import type { DamageReport, MetaSession } from "../../protocol/meta/meta-service.ts";
import { connectMetaSession } from "../../protocol/meta/meta-session-client.ts";
import type { Machine, SimProcess } from "./machine.ts";
import type { Network } from "./network.ts";
import { OrderedCoding } from "./ordered-coding.ts";
import type { ShardWatch } from "./shard-watch.ts";
import { SimShardService } from "./shard-messages.ts";
import { dialOver } from "./sim-socket.ts";

export interface ClientMachineOptions {
  readonly machine: Machine;
  readonly network: Network;
  readonly metaAddress: string;
  readonly token: () => string;
  readonly codecs: PolicyCodecs;
  readonly watch: Pick<ShardWatch, "reported">;
  readonly log: (process: SimProcess) => Log;
}

/** A mounted client and the process it lives in. */
export interface SimMount extends ClientSession {
  readonly process: SimProcess;
}

export class ClientMachine {
  readonly machine: Machine;
  mount: SimMount | undefined;
  readonly #options: ClientMachineOptions;

  constructor(options: ClientMachineOptions) {
    this.#options = options;
    this.machine = options.machine;
  }

  /** Resolves when it is mounted. Rejects when there is no server; the process is dead then. */
  async start(): Promise<SimMount> {
    const { machine, network, metaAddress, codecs } = this.#options;
    const process = machine.start();
    const { clock } = process;
    const log = this.#options.log(process);
    this.mount = undefined;
    try {
      const meta = await connectMetaSession({
        url: metaAddress,
        token: this.#options.token(),
        dial: dialOver(network, process),
        clientName: process.name,
        log,
        clock,
      });
      const session = await composeClient(this.#watched(meta), {
        clock,
        log,
        connect: ({ url, id: node }) =>
          new SimShardService(network, process, url, { cluster: meta.clusterId, node }),
        coding: new OrderedCoding(codecs, process),
      });
      this.mount = { ...session, process };
      return this.mount;
    } catch (error) {
      process.kill();
      throw error;
    }
  }

  /** The same session; what it reports is noted. */
  #watched(meta: MetaSession): MetaSession {
    const { watch } = this.#options;
    return new Proxy(meta, {
      get(target, name) {
        if (name === "reportDamage") {
          return async (reports: readonly DamageReport[]) => {
            await target.reportDamage(reports);
            watch.reported(reports);
          };
        }
        const member: unknown = Reflect.get(target, name);
        return typeof member === "function" ? (member.bind(target) as unknown) : member;
      },
    });
  }
}
