// Sizes, rates and spans of time as people write and read them.
import { CliError, EXIT } from "./exit-codes.ts";

const UNITS = ["", "K", "M", "G", "T", "P"] as const;
const SIZE_TEXT = /^(\d+(?:\.\d+)?)\s*([KMGTP]?)(i?B?)$/i;

/**
 * Bytes of "10G", "512MiB", "4096", "1.5t": units are powers of 1024.
 * @throws CliError (usage)
 */
export function parseSize(text: string): number {
  const match = SIZE_TEXT.exec(text.trim());
  const unit = UNITS.findIndex((name) => name === match?.[2]?.toUpperCase());
  const bytes = match === null ? Number.NaN : Math.round(Number(match[1]) * 1024 ** unit);
  if (!Number.isSafeInteger(bytes)) {
    throw new CliError(EXIT.usage, `"${text}" is not a size`, "Write it like 10G or 512MiB.");
  }
  return bytes;
}

const SPAN_TEXT = /^(\d+(?:\.\d+)?)\s*(s|min|h|d)$/;
const SPAN_UNITS_MS: Readonly<Record<string, number>> = {
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds of "12h", "1.5 d", "30min", "45s". @throws CliError (usage) */
export function parseSpan(text: string): number {
  const match = SPAN_TEXT.exec(text.trim());
  const spanMs = Math.round(Number(match?.[1]) * (SPAN_UNITS_MS[match?.[2] ?? ""] ?? Number.NaN));
  if (!Number.isSafeInteger(spanMs)) {
    throw new CliError(EXIT.usage, `"${text}" is not a span of time`, "Write it like 12h or 1d.");
  }
  return spanMs;
}

/** "1.5 GiB"; three significant digits. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1023.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  if (unit === 0) return `${value} B`;
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? ""}iB`;
}

export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(Math.round(bytesPerSecond))}/s`;
}

/** "now", "12 s", "3 min", "2 h", "5 d". */
export function formatSpan(spanMs: number): string {
  const seconds = Math.round(spanMs / 1000);
  if (seconds < 1) return "now";
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}
