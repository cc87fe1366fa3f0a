// What a test's fixture must have: a test that goes on without it would pass and show nothing.

/** `thing`, which must be there. @throws Error when it is undefined or null */
export function present<T>(thing: T): NonNullable<T> {
  if (thing === undefined || thing === null) throw new Error("the fixture lacks what is tested");
  return thing;
}
