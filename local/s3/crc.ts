import { crc32 as zlibCrc32 } from 'node:zlib';

/**
 * Cyclic redundancy checks that S3 knows beside zlib's CRC32. All are reflected, start and end inverted. Polynomials in
 * reflected form: CRC32C 0x82f63b78 (Castagnoli), CRC64NVME 0x9a6c9329ac4bc9b5 (NVM Express), as in the CRC RevEng catalogue.
 */
const polynomials = { crc32: 0xedb88320n, crc32c: 0x82f63b78n, crc64nvme: 0x9a6c9329ac4bc9b5n };

export type CrcName = keyof typeof polynomials;

export const crcBits = (name: CrcName): 32 | 64 => (name === 'crc64nvme' ? 64 : 32);

const slices = 8;

/** Tables for eight bytes at a time, split into 32-bit halves: BigInt arithmetic per byte would run at 10 MB/s. */
const tablesOf = (polynomial: bigint): { low: Uint32Array; high: Uint32Array } => {
  const low = new Uint32Array(256 * slices);
  const high = new Uint32Array(256 * slices);
  const values: bigint[] = [];
  for (let byte = 0; byte < 256; byte++) {
    let value = BigInt(byte);
    for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ polynomial : value >> 1n;
    values.push(value);
  }
  for (let byte = 0; byte < 256; byte++) {
    let value = values[byte]!;
    for (let slice = 0; slice < slices; slice++) {
      low[slice * 256 + byte] = Number(value & 0xffffffffn);
      high[slice * 256 + byte] = Number(value >> 32n);
      value = (value >> 8n) ^ values[Number(value & 0xffn)]!;
    }
  }
  return { low, high };
};

const lazily = <T>(make: () => T): (() => T) => {
  let made: T | undefined;
  return () => (made ??= make());
};

const castagnoli = lazily(() => tablesOf(polynomials.crc32c).low);
const nvme = lazily(() => tablesOf(polynomials.crc64nvme));

const updateCrc32c = (start: number, data: Uint8Array): number => {
  const t = castagnoli();
  let crc = ~start;
  let at = 0;
  for (const end = data.length - 7; at < end; at += 8) {
    crc =
      t[1792 + ((crc ^ data[at]!) & 255)]! ^
      t[1536 + (((crc >>> 8) ^ data[at + 1]!) & 255)]! ^
      t[1280 + (((crc >>> 16) ^ data[at + 2]!) & 255)]! ^
      t[1024 + ((crc >>> 24) ^ data[at + 3]!)]! ^
      t[768 + data[at + 4]!]! ^
      t[512 + data[at + 5]!]! ^
      t[256 + data[at + 6]!]! ^
      t[data[at + 7]!]!;
  }
  for (; at < data.length; at++) crc = (crc >>> 8) ^ t[(crc ^ data[at]!) & 255]!;
  return ~crc >>> 0;
};

const updateCrc64 = (start: { low: number; high: number }, data: Uint8Array): { low: number; high: number } => {
  const { low: l, high: h } = nvme();
  let low = ~start.low;
  let high = ~start.high;
  let at = 0;
  for (const end = data.length - 7; at < end; at += 8) {
    const a = 1792 + ((low ^ data[at]!) & 255);
    const b = 1536 + (((low >>> 8) ^ data[at + 1]!) & 255);
    const c = 1280 + (((low >>> 16) ^ data[at + 2]!) & 255);
    const d = 1024 + ((low >>> 24) ^ data[at + 3]!);
    const e = 768 + ((high ^ data[at + 4]!) & 255);
    const f = 512 + (((high >>> 8) ^ data[at + 5]!) & 255);
    const g = 256 + (((high >>> 16) ^ data[at + 6]!) & 255);
    const i = (high >>> 24) ^ data[at + 7]!;
    low = l[a]! ^ l[b]! ^ l[c]! ^ l[d]! ^ l[e]! ^ l[f]! ^ l[g]! ^ l[i]!;
    high = h[a]! ^ h[b]! ^ h[c]! ^ h[d]! ^ h[e]! ^ h[f]! ^ h[g]! ^ h[i]!;
  }
  for (; at < data.length; at++) {
    const index = (low ^ data[at]!) & 255;
    low = ((low >>> 8) | (high << 24)) ^ l[index]!;
    high = (high >>> 8) ^ h[index]!;
  }
  return { low: ~low >>> 0, high: ~high >>> 0 };
};

/** A running check; `value` may be read at any time. */
export const startCrc = (name: CrcName): { update(data: Uint8Array): void; value(): bigint } => {
  if (name === 'crc64nvme') {
    let state = { low: 0, high: 0 };
    return {
      update: (data) => {
        state = updateCrc64(state, data);
      },
      value: () => (BigInt(state.high) << 32n) | BigInt(state.low),
    };
  }
  const next = name === 'crc32' ? (state: number, data: Uint8Array) => zlibCrc32(data, state) : updateCrc32c;
  let state = 0;
  return {
    update: (data) => {
      state = next(state, data);
    },
    value: () => BigInt(state),
  };
};

/** Product of two reflected polynomials modulo the check's polynomial. */
const multiply = (left: bigint, right: bigint, polynomial: bigint, bits: number): bigint => {
  let product = 0n;
  let factor = left;
  for (let bit = bits - 1; bit >= 0; bit--) {
    if ((right >> BigInt(bit)) & 1n) product ^= factor;
    factor = factor & 1n ? (factor >> 1n) ^ polynomial : factor >> 1n;
  }
  return product;
};

/** Check of A followed by B from the checks of both and B's length: what a FULL_OBJECT multipart checksum is made of. */
export const combineCrc = (name: CrcName, first: bigint, second: bigint, secondLength: number): bigint => {
  const polynomial = polynomials[name];
  const bits = crcBits(name);
  let shift = 1n << BigInt(bits - 1);
  let power = 1n << BigInt(bits - 9);
  for (let length = BigInt(secondLength); length > 0n; length >>= 1n) {
    if (length & 1n) shift = multiply(shift, power, polynomial, bits);
    power = multiply(power, power, polynomial, bits);
  }
  return multiply(first, shift, polynomial, bits) ^ second;
};
