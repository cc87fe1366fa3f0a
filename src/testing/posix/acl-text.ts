// ACLs as text, in the way of setfacl, and as attributes.
import { ACL_TAG, encodeAcl, parseAcl, type AclEntry } from "../../domain/acl.ts";

const TAGS: Readonly<Record<string, readonly [own: number, named: number]>> = {
  u: [ACL_TAG.USER_OBJ, ACL_TAG.USER],
  g: [ACL_TAG.GROUP_OBJ, ACL_TAG.GROUP],
  m: [ACL_TAG.MASK, 0],
  o: [ACL_TAG.OTHER, 0],
};

/** The attribute of a list like `u::rwx,u:100:r--,g::r-x,m::rwx,o::---`. */
export function packed(text: string): Uint8Array {
  const entries = text.split(",").map((entry): AclEntry => {
    const [tag = "", who = "", bits = ""] = entry.split(":");
    const permissions = Array.from(bits).reduce((sum, bit) => sum + ("-xw-r".indexOf(bit) & 7), 0);
    const id = who === "" ? 0xffffffff : Number(who);
    return { tag: TAGS[tag]?.[who === "" ? 0 : 1] ?? 0, permissions, id };
  });
  return encodeAcl(entries);
}

/** A list of an attribute, as text. */
export function unpacked(value: Uint8Array): string {
  return parseAcl(value)
    .map(({ tag, permissions, id }) => {
      const [letter = ""] = Object.entries(TAGS).find(([, tags]) => tags.includes(tag)) ?? [];
      const named = tag === ACL_TAG.USER || tag === ACL_TAG.GROUP;
      const bits = [4, 2, 1].map((bit, at) => ((permissions & bit) === 0 ? "-" : "rwx"[at]));
      return `${letter}:${named ? id : ""}:${bits.join("")}`;
    })
    .join(",");
}
