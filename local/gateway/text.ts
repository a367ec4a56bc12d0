import type { NormalizedSchema } from '@smithy/core/schema';

/** Schema numbers of timestamps: 6 is an HTTP date, 7 epoch seconds, everything else ISO 8601. */
const httpDate = 6;
const epochSeconds = 7;

const readTimestamp = (schema: NormalizedSchema, text: string): Date =>
  Number(schema.getSchema()) === epochSeconds || /^\d+(\.\d+)?$/.test(text)
    ? new Date(Number(text) * 1000)
    : new Date(text);

/** One scalar out of a form field, a path label, a query parameter or a header. Numbers that are none become NaN. */
export const readText = (schema: NormalizedSchema, text: string): unknown => {
  if (schema.isNumericSchema()) return text.trim() === '' ? Number.NaN : Number(text);
  if (schema.isBooleanSchema()) return text === 'true' ? true : text === 'false' ? false : text;
  if (schema.isTimestampSchema()) return readTimestamp(schema, text);
  if (schema.isBlobSchema()) return new Uint8Array(Buffer.from(text, 'base64'));
  if (schema.isBigIntegerSchema()) return BigInt(text);
  return text;
};

/** One scalar for a response header, where timestamps are HTTP dates unless the schema says otherwise. */
export const writeText = (schema: NormalizedSchema, value: unknown): string => {
  if (value instanceof Date) {
    const format = Number(schema.getSchema());
    if (format === epochSeconds) return String(value.getTime() / 1000);
    return format === httpDate || format === 4 ? value.toUTCString() : value.toISOString();
  }
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return Array.isArray(value) ? value.map((item) => writeText(schema.getValueSchema(), item)).join(',') : String(value);
};
