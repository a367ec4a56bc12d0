import { createHash } from 'node:crypto';
import { type CrcName, combineCrc, crcBits, startCrc } from './crc.ts';
import { s3Error } from './errors.ts';

/** Header suffix (`x-amz-checksum-<name>`) -> name in the API (`Checksum<Name>`, `ChecksumAlgorithm`). */
const apiNames = {
  crc32: 'CRC32',
  crc32c: 'CRC32C',
  crc64nvme: 'CRC64NVME',
  sha1: 'SHA1',
  sha256: 'SHA256',
  sha512: 'SHA512',
  md5: 'MD5',
} as const;

export type ChecksumName = keyof typeof apiNames;
export type ChecksumType = 'COMPOSITE' | 'FULL_OBJECT';

/** A checksum as S3 keeps it: `value` is base64, followed by `-<parts>` when composite. */
export interface Checksum {
  readonly name: ChecksumName;
  readonly value: string;
  readonly type: ChecksumType;
}

export const apiNameOf = (name: ChecksumName): (typeof apiNames)[ChecksumName] => apiNames[name];

/** Member of an XML result, such as `ChecksumCRC32`. */
export const checksumMember = (name: ChecksumName): string => `Checksum${apiNames[name]}`;
export const checksumHeader = (name: ChecksumName): string => `x-amz-checksum-${name}`;

/** Throws NotImplemented for algorithms that S3 has and this one has not (the xxHash family). */
export const checksumNamed = (text: string): ChecksumName => {
  const name = text.toLowerCase();
  if (Object.hasOwn(apiNames, name)) return name as ChecksumName;
  if (name.startsWith('xxhash'))
    throw s3Error('NotImplemented', `The checksum algorithm ${text} is not implemented; use CRC32.`);
  throw s3Error('InvalidRequest', `The checksum algorithm "${text}" is none of ${Object.values(apiNames).join(', ')}.`);
};

const crcNames: Readonly<Record<string, true>> = { crc32: true, crc32c: true, crc64nvme: true } satisfies Record<
  CrcName,
  true
>;
const isCrc = (name: ChecksumName): name is CrcName => name in crcNames;

const crcBytes = (name: CrcName, value: bigint): Buffer =>
  Buffer.from(value.toString(16).padStart(crcBits(name) / 4, '0'), 'hex');

export interface Digest {
  update(data: Uint8Array): void;
  finish(): Buffer;
}

export const startDigest = (name: ChecksumName): Digest => {
  if (!isCrc(name)) {
    const hash = createHash(name);
    return { update: (data) => void hash.update(data), finish: () => hash.digest() };
  }
  const crc = startCrc(name);
  return { update: crc.update, finish: () => crcBytes(name, crc.value()) };
};

/** AWS's default per algorithm, and its rule: CRC64NVME has no composite form, the hashes no full-object form. */
export const checksumTypeFor = (name: ChecksumName, asked: string | undefined): ChecksumType => {
  const usual = name === 'crc64nvme' ? 'FULL_OBJECT' : 'COMPOSITE';
  const type = asked?.toUpperCase() ?? usual;
  const possible = name === 'crc64nvme' ? ['FULL_OBJECT'] : isCrc(name) ? ['FULL_OBJECT', 'COMPOSITE'] : ['COMPOSITE'];
  if (possible.includes(type)) return type as ChecksumType;
  throw s3Error(
    'InvalidRequest',
    `The checksum type ${type} cannot be used with ${apiNames[name]}; use ${possible.join(' or ')}.`,
  );
};

/** Checksum of a multipart object out of the checksums and sizes of its parts; no byte is read again. */
export const checksumOfParts = (
  name: ChecksumName,
  type: ChecksumType,
  parts: readonly { readonly checksum: string; readonly size: number }[],
): Checksum => {
  const values = parts.map((part) => Buffer.from(part.checksum, 'base64'));
  if (type === 'FULL_OBJECT' && isCrc(name)) {
    const combined = values
      .map((bytes, index) => ({ crc: BigInt(`0x${bytes.toString('hex')}`), size: parts[index]!.size }))
      .reduce((sum, next) => ({ crc: combineCrc(name, sum.crc, next.crc, next.size), size: 0 }));
    return { name, type, value: crcBytes(name, combined.crc).toString('base64') };
  }
  const digest = startDigest(name);
  for (const bytes of values) digest.update(bytes);
  return { name, type, value: `${digest.finish().toString('base64')}-${parts.length}` };
};

type Headers = Readonly<Record<string, string | undefined>>;

/** The checksums whose values stand in the headers of a request. */
export const givenChecksums = (headers: Headers): { name: ChecksumName; value: string }[] =>
  Object.keys(headers)
    .filter((header) => header.startsWith('x-amz-checksum-') && !/-(algorithm|type|mode)$/.test(header))
    .map((header) => ({ name: checksumNamed(header.slice('x-amz-checksum-'.length)), value: headers[header]! }));

/** The checksums that a request announces for its trailer. */
export const announcedChecksums = (headers: Headers): ChecksumName[] =>
  (headers['x-amz-trailer'] ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name.startsWith('x-amz-checksum-'))
    .map((name) => checksumNamed(name.slice('x-amz-checksum-'.length)));
