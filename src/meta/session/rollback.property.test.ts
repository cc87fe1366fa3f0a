// Two clients, random changes on each other's work, random power cuts: afterwards what each was
// told is there, or it was told otherwise; no number comes twice, and a lock has one holder.
import test, { type ExecutionContext } from "ava";
import { ROOT_CALLER, S_IFREG } from "../../domain/attributes.ts";
import { isFsError } from "../../domain/errno.ts";
import { WHOLE_FILE, type LockOwner } from "../../domain/file-lock.ts";
import { DEFAULT_POOL, ROOT_INO, type Ino, type SliceId } from "../../domain/ids.ts";
import { toName } from "../../domain/name.ts";
import type { LockRequest } from "../../protocol/meta/meta-service.ts";
import { RollbackWorld, type WorldClient } from "../../testing/meta/rollback-world.ts";
import { present } from "../../testing/present.ts";
import { seededRandom, type SeededRandom } from "../../testing/seeded-random.ts";

const SEEDS = 40;
const STEPS = 60;
const NAMES = ["a", "b", "c", "d"].map(toName);
const root = ROOT_CALLER;

/** A name in one of the directories that both clients use. */
interface Place {
  readonly dir: Ino;
  readonly name: string;
}

class Actor {
  readonly client: WorldClient;
  slices: SliceId[] = [];
  /** It believes to have the lock. */
  holds = false;
  lost = 0;

  constructor(client: WorldClient) {
    this.client = client;
    client.session.on("rolledBack", (lost) => (this.lost += lost.length));
  }
}

class History {
  readonly #t: ExecutionContext;
  readonly #world: RollbackWorld;
  readonly #random: SeededRandom;
  readonly #actors: readonly Actor[];
  readonly #dirs: readonly Ino[];
  readonly #lockFile: Ino;
  readonly #tree = new Map<string, { ino: Ino; size: number }>();
  readonly #given = new Set<Ino>();

  private constructor(
    t: ExecutionContext,
    world: RollbackWorld,
    random: SeededRandom,
    begun: { actors: readonly Actor[]; dirs: readonly Ino[]; lockFile: Ino },
  ) {
    this.#t = t;
    this.#world = world;
    this.#random = random;
    this.#actors = begun.actors;
    this.#dirs = begun.dirs;
    this.#lockFile = begun.lockFile;
  }

  static async begin(t: ExecutionContext, world: RollbackWorld, random: SeededRandom) {
    const actors = [new Actor(await world.connect()), new Actor(await world.connect())];
    const { session } = present(actors[0]).client;
    const dirs: Ino[] = [];
    for (const name of ["one", "two"]) {
      dirs.push((await world.wait(session.mkdir(root, ROOT_INO, toName(name), 0o777))).ino);
    }
    const request = { mode: S_IFREG | 0o666 };
    const lockFile = await world.wait(session.mknod(root, ROOT_INO, toName("lock"), request));
    await world.wait(session.syncMetadata());
    return new History(t, world, random, { actors, dirs, lockFile: lockFile.ino });
  }

  async run(): Promise<void> {
    for (let step = 0; step < STEPS; step += 1) {
      const what = this.#random.weighted({ change: 30, lock: 4, sync: 1, cut: 4, away: 1 });
      if (what === "change") await this.#world.wait(this.#change(this.#random.pick(this.#actors)));
      else if (what === "lock") await this.#world.wait(this.#lock(this.#random.pick(this.#actors)));
      else if (what === "sync") {
        const { session } = this.#random.pick(this.#actors).client;
        await this.#world.wait(session.syncMetadata());
      } else if (what === "cut") await this.#cut();
      else await this.#cutWhileAway();
    }
    await this.#cut();
  }

  #place(): Place {
    return { dir: this.#random.pick(this.#dirs), name: this.#random.pick(NAMES) };
  }

  async #change(actor: Actor): Promise<void> {
    const [at, to] = [this.#place(), this.#place()];
    const what = this.#random.weighted({ make: 5, remove: 3, move: 4, write: 4, link: 2 });
    try {
      if (what === "make") await this.#make(actor, at);
      else if (what === "remove") await this.#remove(actor, at);
      else if (what === "move") await this.#move(actor, at, to);
      else if (what === "link") await this.#link(actor, at, to);
      else await this.#write(actor, at);
    } catch (error) {
      if (!isFsError(error, "ENOENT", "EEXIST")) throw error;
    }
  }

  async #make({ client }: Actor, at: Place): Promise<void> {
    const { ino } = await client.session.mknod(root, at.dir, toName(at.name), {
      mode: S_IFREG | 0o644,
    });
    this.#t.false(this.#given.has(ino), `inode number ${ino} was given twice`);
    this.#given.add(ino);
    this.#tree.set(keyOf(at), { ino, size: 0 });
  }

  async #remove({ client }: Actor, at: Place): Promise<void> {
    await client.session.unlink(root, at.dir, toName(at.name));
    this.#tree.delete(keyOf(at));
  }

  async #move({ client }: Actor, at: Place, to: Place): Promise<void> {
    const [name, newName] = [toName(at.name), toName(to.name)];
    await client.session.rename(root, at.dir, name, to.dir, newName, 0);
    const moved = this.#tree.get(keyOf(at));
    const same = moved !== undefined && this.#tree.get(keyOf(to))?.ino === moved.ino;
    // Two names of one inode: rename(2) leaves both.
    if (moved === undefined || same) return;
    this.#tree.delete(keyOf(at));
    this.#tree.set(keyOf(to), moved);
  }

  async #link({ client }: Actor, at: Place, to: Place): Promise<void> {
    const known = this.#tree.get(keyOf(at));
    if (known === undefined) return;
    await client.session.link(root, known.ino, to.dir, toName(to.name));
    this.#tree.set(keyOf(to), known);
  }

  async #write(actor: Actor, at: Place): Promise<void> {
    const known = this.#tree.get(keyOf(at));
    if (known === undefined) return;
    const { session } = actor.client;
    if (actor.slices.length === 0) {
      const { first, count } = await session.allocateSlices();
      actor.slices = Array.from({ length: count }, (_, i) => (first + i) as SliceId);
    }
    const inline = this.#random.bytes(1 + this.#random.below(100));
    const place = { chunk: 0, posInChunk: 0, lengthBytes: inline.length, pool: DEFAULT_POOL };
    const { attr } = await session.commit({
      ino: known.ino,
      extents: [{ ...place, slice: present(actor.slices.shift()), inline }],
      minSizeBytes: inline.length,
      mtime: { sec: 1, nsec: 0 },
      killPrivileges: false,
      durable: this.#random.chance(0.05),
    });
    known.size = attr.sizeBytes;
  }

  async #lock(actor: Actor): Promise<void> {
    const request: LockRequest = {
      ino: this.#lockFile,
      space: "flock",
      owner: "0000000000000001" as LockOwner,
      type: actor.holds ? "unlock" : "write",
      pid: 1,
      wait: 0,
      ...WHOLE_FILE,
    };
    try {
      await actor.client.session.setlk(request);
      actor.holds = !actor.holds;
    } catch (error) {
      if (!isFsError(error, "EAGAIN")) throw error;
      // Who is away may have given it back, and not have said so again.
      const mayBeHeld = this.#actors.some(({ holds, client }) => holds || !client.line.up);
      this.#t.true(mayBeHeld, "refused though nobody has it");
    }
    this.#t.true(this.#actors.filter(({ holds }) => holds).length <= 1, "two hold one lock");
  }

  /** Perhaps with a change under way, perhaps twice, perhaps with a broken line. */
  async #cut(): Promise<void> {
    const world = this.#world;
    const random = this.#random;
    const underWay = random.chance(0.5) ? this.#change(random.pick(this.#actors)) : undefined;
    await turns(random.below(6));
    world.cut(random.chance(0.5) ? random : undefined);
    await world.restart();
    if (random.chance(0.3)) {
      await turns(random.below(12));
      if (random.chance(0.5)) random.pick(this.#actors).client.line.cut();
      else {
        world.cut(random);
        await world.restart();
      }
    }
    if (underWay !== undefined) await world.wait(underWay);
    this.#t.deepEqual(
      this.#actors.map(({ lost }) => lost),
      [0, 0],
      "all was there to be done again",
    );
    for (const actor of this.#actors) await this.#check(actor);
  }

  /** One client comes back when the window is over. */
  async #cutWhileAway(): Promise<void> {
    const world = this.#world;
    const away = this.#random.pick(this.#actors);
    away.client.line.up = false;
    world.cut();
    await world.restart();
    for (const actor of this.#actors) {
      if (actor === away) continue;
      for (let i = 0; i < 5; i += 1) await world.wait(this.#change(actor));
      await world.wait(this.#lock(actor));
    }
    away.client.line.up = true;
    for (const { client } of this.#actors) await world.wait(client.session.getattr(ROOT_INO));
    await this.#learn();
    for (const actor of this.#actors) actor.lost = 0;
  }

  async #check({ client }: Actor): Promise<void> {
    const found = await this.#world.wait(listAll(client, this.#dirs));
    const known = [...this.#tree].map(([key, { ino, size }]) => [key, ino, size]);
    this.#t.deepEqual(found.sort(byKey), known.sort(byKey));
  }

  /** Some may be lost: the tree is what it is now, and nothing in it is new. */
  async #learn(): Promise<void> {
    const { client } = present(this.#actors[0]);
    this.#tree.clear();
    const byIno = new Map<Ino, { ino: Ino; size: number }>();
    for (const [key, ino, size] of await this.#world.wait(listAll(client, this.#dirs))) {
      this.#t.true(this.#given.has(ino), `inode ${ino} is nobody's`);
      const file = byIno.get(ino) ?? { ino, size };
      byIno.set(ino, file);
      this.#tree.set(key, file);
    }
  }
}

type Found = [key: string, ino: Ino, size: number];

async function listAll({ session }: WorldClient, dirs: readonly Ino[]): Promise<Found[]> {
  const found: Found[] = [];
  for (const dir of dirs) {
    const { entries } = await session.readdir(root, dir, 0, 100, true);
    for (const { name, attr } of entries) {
      const { ino, sizeBytes } = present(attr);
      found.push([keyOf({ dir, name }), ino, sizeBytes]);
    }
  }
  return found;
}

function keyOf({ dir, name }: Place): string {
  return `${dir}/${name}`;
}

function byKey([a]: readonly unknown[], [b]: readonly unknown[]): number {
  return String(a) < String(b) ? -1 : 1;
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await new Promise(setImmediate);
}

test("two clients find what they were told, whenever the power was cut", async (t) => {
  t.timeout(300_000);
  const asked = Number(process.env["DFS_SEED"] ?? 0);
  const seeds =
    asked > 0 ? [asked] : Array.from({ length: SEEDS }, () => 1 + Math.floor(Math.random() * 1e9));
  for (const seed of seeds) {
    await using world = await RollbackWorld.start();
    const random = seededRandom(seed);
    try {
      await (await History.begin(t, world, random)).run();
    } catch (error) {
      t.log(`DFS_SEED=${seed}`);
      throw error;
    }
  }
});
