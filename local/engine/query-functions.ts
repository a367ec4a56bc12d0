import { createHash, randomUUID } from 'node:crypto';

/** Step Functions quota of `$range`: at most 1,000 elements. */
const longestRange = 1_000;

const algorithms: Readonly<Record<string, string>> = {
  MD5: 'md5',
  'SHA-1': 'sha1',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
};

const partition = (items: unknown, size: number): unknown[][] => {
  const list = Array.isArray(items) ? items : [items];
  if (!Number.isInteger(size) || size < 1)
    throw new Error(`$partition: the size is ${size}, give a whole number above 0`);
  return Array.from({ length: Math.ceil(list.length / size) }, (_, index) =>
    list.slice(index * size, (index + 1) * size),
  );
};

const range = (first: number, last: number, step: number): number[] => {
  if (![first, last, step].every(Number.isFinite) || step === 0) {
    throw new Error(`$range(${first}, ${last}, ${step}): give three numbers and a step other than 0`);
  }
  const length = Math.max(0, Math.floor((last - first) / step) + 1);
  if (length > longestRange) throw new Error(`$range makes ${length} elements, ${longestRange} are allowed`);
  return Array.from({ length }, (_, index) => first + index * step);
};

const hash = (data: unknown, algorithm: string): string => {
  const known = algorithms[algorithm];
  if (!known) throw new Error(`$hash: algorithm '${algorithm}' is not one of ${Object.keys(algorithms).join(', ')}`);
  return createHash(known)
    .update(typeof data === 'string' ? data : JSON.stringify(data))
    .digest('hex');
};

/** The same seed gives the same number, in every process: a redrive or a resumed execution decides as before. */
const random = (seed?: unknown): number =>
  seed === undefined ? Math.random() : createHash('sha256').update(String(seed)).digest().readUInt32BE() / 2 ** 32;

/** What Step Functions adds to JSONata, and `$eval`, which it takes away (developer guide, "Transforming data with JSONata"). */
export const awsFunctions: Readonly<Record<string, (...parameters: never[]) => unknown>> = {
  partition,
  range,
  hash,
  random,
  uuid: () => randomUUID(),
  parse: (text: string) => JSON.parse(text),
  eval: () => {
    throw new Error('$eval is not supported, use $parse to read JSON');
  },
};
