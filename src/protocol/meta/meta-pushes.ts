// What the server tells a session unasked: one row each. Packing, sending, receiving and listeners
// are made from this table.
import { FsError } from "../../domain/errno.ts";
import type { Message } from "../rpc/frame-channel.ts";
import { readCount, type Codec } from "../rpc/wire-readers.ts";
import type { MetaPushes } from "./meta-service.ts";
import { mapsCodec } from "./wire-cluster.ts";
import { countCodec } from "./wire-values.ts";

interface PushRow<P extends keyof MetaPushes> {
  /** On the wire; never given to another push. */
  readonly number: number;
  readonly codec: Codec<MetaPushes[P]>;
}

const META_PUSHES: { readonly [P in keyof MetaPushes]: PushRow<P> } = {
  mapChanged: { number: 1, codec: mapsCodec },
  lockReady: { number: 2, codec: countCodec },
  durable: { number: 3, codec: countCodec },
};

/** Tells a session something. */
export type Push = <P extends keyof MetaPushes>(name: P, value: MetaPushes[P]) => void;

export function packPush<P extends keyof MetaPushes>(name: P, value: MetaPushes[P]): Message {
  const { number, codec } = META_PUSHES[name];
  return [0, number, codec.pack(value)];
}

/** Hands a push that came to `push`. @throws FsError EPROTO */
export function readPush(message: Message, push: Push): void {
  const number = readCount(message[1], "push");
  // The table's keys are the pushes, by its type.
  const names = Object.keys(META_PUSHES) as (keyof MetaPushes)[];
  const name = names.find((candidate) => META_PUSHES[candidate].number === number);
  if (name === undefined) throw new FsError("EPROTO", `malformed message: push ${number}`);
  push(name, META_PUSHES[name].codec.read(message[2]));
}
