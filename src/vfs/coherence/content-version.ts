// Whether two attributes are of the same version of a file's content, judged by what every change
// of it changes.
import type { Attr } from "../../domain/attributes.ts";

export function sameContent(a: Attr, b: Attr): boolean {
  return (
    a.sizeBytes === b.sizeBytes &&
    a.mtimeSec === b.mtimeSec &&
    a.mtimeNsec === b.mtimeNsec &&
    a.ctimeSec === b.ctimeSec &&
    a.ctimeNsec === b.ctimeNsec
  );
}

/**
 * A number that any change of the content changes, where attributes would take too much room; two
 * alike by chance cost one moment's staleness.
 */
export function contentNumber(attr: Attr): number {
  const { sizeBytes, mtimeSec, mtimeNsec, ctimeSec, ctimeNsec } = attr;
  return sizeBytes + (ctimeSec % 1e6) * 1e9 + ctimeNsec + ((mtimeSec % 1e3) * 1e9 + mtimeNsec) / 7;
}
