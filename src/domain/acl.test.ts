import test from "ava";
import fc from "fast-check";
import { ACL_TAG, encodeAcl, parseAcl, type Acl, type AclEntry } from "./acl.ts";
import { isFsError } from "./errno.ts";

const NO_ID = 0xffffffff;
const permissions = fc.integer({ min: 0, max: 7 });
const single = (tag: number): fc.Arbitrary<AclEntry> =>
  fc.record({ tag: fc.constant(tag), permissions, id: fc.constant(NO_ID) });
const named = (tag: number): fc.Arbitrary<AclEntry[]> =>
  fc.array(fc.record({ tag: fc.constant(tag), permissions, id: fc.nat() }), { maxLength: 4 });

/** Every list that POSIX.1e allows, up to its length. */
const validAcl: fc.Arbitrary<Acl> = fc
  .tuple(
    single(ACL_TAG.USER_OBJ),
    named(ACL_TAG.USER),
    single(ACL_TAG.GROUP_OBJ),
    named(ACL_TAG.GROUP),
    single(ACL_TAG.MASK),
    single(ACL_TAG.OTHER),
    fc.boolean(),
  )
  .map(([owner, users, group, groups, mask, other, wantsMask]) => {
    const masked = wantsMask || users.length + groups.length > 0;
    return [owner, ...users, group, ...groups, ...(masked ? [mask] : []), other];
  });

function errnoOf(value: Uint8Array): string {
  try {
    parseAcl(value);
    return "ok";
  } catch (error) {
    if (isFsError(error)) return error.code;
    throw error;
  }
}

test("a list is read as it was written", (t) => {
  fc.assert(fc.property(validAcl, (acl) => t.deepEqual(parseAcl(encodeAcl(acl)), acl)));
  t.deepEqual(parseAcl(new Uint8Array()), []);
  t.deepEqual(parseAcl(encodeAcl([])), []);
});

test("a list in the middle of a larger buffer is read as well", (t) => {
  const acl = [ACL_TAG.USER_OBJ, ACL_TAG.GROUP_OBJ, ACL_TAG.OTHER].map((tag) => {
    return { tag, permissions: 5, id: NO_ID };
  });
  const buffer = Buffer.concat([Buffer.from("xyz"), encodeAcl(acl)]);
  t.deepEqual(parseAcl(buffer.subarray(3)), acl);
});

test("a list with an entry missing, double or out of order is EINVAL", (t) => {
  const shuffled = validAcl.chain((acl) =>
    fc.shuffledSubarray([...acl], { minLength: 1 }).map((entries) => ({ acl, entries })),
  );
  const places = [ACL_TAG.USER_OBJ, ACL_TAG.USER, ACL_TAG.GROUP_OBJ, ACL_TAG.GROUP, ACL_TAG.MASK];
  const placeOf = ({ tag }: AclEntry): number => (places as number[]).indexOf(tag) % 6;
  fc.assert(
    fc.property(shuffled, ({ entries }) => {
      const order = entries.map((entry) => (placeOf(entry) < 0 ? 5 : placeOf(entry)));
      const sorted = order.every((place, index) => index === 0 || place >= (order[index - 1] ?? 0));
      const complete = [0, 2, 5].every((place) => order.includes(place));
      const masked = order.includes(4) || !(order.includes(1) || order.includes(3));
      t.is(errnoOf(encodeAcl(entries)), sorted && complete && masked ? "ok" : "EINVAL");
    }),
  );
  fc.assert(
    fc.property(validAcl, fc.constantFrom(0, -1), (acl, at) => {
      const twice = acl.at(at);
      if (twice === undefined) return;
      const entries = at === 0 ? [twice, ...acl] : [...acl, twice];
      t.is(errnoOf(encodeAcl(entries)), "EINVAL");
    }),
  );
});

test("an unknown tag, a wrong permission, an odd length are EINVAL, a version EOPNOTSUPP", (t) => {
  fc.assert(
    fc.property(validAcl, fc.nat(), (acl, index) => {
      const change = (entry: Partial<AclEntry>): Acl =>
        acl.map((old, at) => (at === index % acl.length ? { ...old, ...entry } : old));
      t.is(errnoOf(encodeAcl(change({ tag: 0x40 }))), "EINVAL");
      t.is(errnoOf(encodeAcl(change({ permissions: 8 }))), "EINVAL");
      const value = encodeAcl(acl);
      t.is(errnoOf(value.subarray(0, value.length - 1)), "EINVAL");
      value[0] = 1;
      t.is(errnoOf(value), "EOPNOTSUPP");
    }),
  );
});

test("no bytes whatever break the parser", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      t.true(["ok", "EINVAL", "EOPNOTSUPP"].includes(errnoOf(bytes)));
    }),
  );
});
