import test from "ava";
import fc from "fast-check";
import { CliError } from "./exit-codes.ts";
import { formatBytes, formatSpan, parseSize, parseSpan } from "./sizes.ts";

test("sizes are read with and without units, in powers of 1024", (t) => {
  t.is(parseSize("0"), 0);
  t.is(parseSize("4096"), 4096);
  t.is(parseSize("10G"), 10 * 1024 ** 3);
  t.is(parseSize("512MiB"), 512 * 1024 ** 2);
  t.is(parseSize("1.5t"), 1.5 * 1024 ** 4);
  t.is(parseSize(" 7kb "), 7 * 1024);
});

test("what is no size is refused as a usage error", (t) => {
  for (const text of ["", "G", "-1", "1X", "10GG", "1e3", "99999999P", "0x10"]) {
    t.is(t.throws(() => parseSize(text), { instanceOf: CliError }).exitCode, 2, text);
  }
});

test("spans of time are read with their unit, and nothing else", (t) => {
  t.is(parseSpan("0s"), 0);
  t.is(parseSpan("90s"), 90_000);
  t.is(parseSpan("30min"), 30 * 60_000);
  t.is(parseSpan("12h"), 12 * 3_600_000);
  t.is(parseSpan("1.5 d"), 36 * 3_600_000);
  for (const text of ["", "7", "d", "-1h", "1w", "1m", "1h30min"]) {
    t.is(t.throws(() => parseSpan(text), { instanceOf: CliError }).exitCode, 2, text);
  }
});

test("sizes are shown with three significant digits", (t) => {
  t.is(formatBytes(0), "0 B");
  t.is(formatBytes(1023), "1023 B");
  t.is(formatBytes(1024), "1.00 KiB");
  t.is(formatBytes(1.5 * 1024 ** 3), "1.50 GiB");
  t.is(formatBytes(123 * 1024 ** 2), "123 MiB");
  t.is(formatBytes(1024 ** 2 - 1), "1.00 MiB");
});

test("a shown size reads back as about the same size", (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (bytes) => {
      const back = parseSize(formatBytes(bytes).replace(" ", ""));
      return Math.abs(back - bytes) <= Math.max(bytes, 1) * 0.005;
    }),
  );
  t.pass();
});

test("spans are shown in their own unit", (t) => {
  t.is(formatSpan(300), "now");
  t.is(formatSpan(5000), "5 s");
  t.is(formatSpan(180_000), "3 min");
  t.is(formatSpan(7_200_000), "2 h");
  t.is(formatSpan(5 * 86_400_000), "5 d");
});
