import { apiNameOf, type Checksum, checksumHeader } from './checksums.ts';
import { s3Error } from './errors.ts';

type Headers = Readonly<Record<string, string | undefined>>;

export interface Encryption {
  readonly algorithm: string;
  readonly kmsKey?: string;
  readonly bucketKey?: true;
}

/** What the writer of an object said about it and every reader is told again. */
export interface Traits {
  /** Lower-case names, ready to be sent: content-type, cache-control, x-amz-meta-... */
  readonly headers: Readonly<Record<string, string>>;
  readonly encryption: Encryption;
  readonly storageClass?: string;
  readonly checksum?: Checksum;
  /** Number of parts of a multipart object. */
  readonly parts?: number;
  /** The upload that it came from, so that completing it again is answered alike. */
  readonly upload?: string;
}

const repeated = [
  'content-type',
  'cache-control',
  'content-disposition',
  'content-language',
  'expires',
  'x-amz-website-redirect-location',
];

/** AWS: 2 KB of user metadata, names and values counted. */
const largestMetadata = 2048;

/** The headers of a write that come back on reads. Throws MetadataTooLarge. */
export const repeatedHeaders = (headers: Headers): Record<string, string> => {
  const kept: Record<string, string> = { 'content-type': 'binary/octet-stream' };
  for (const name of repeated) if (headers[name] !== undefined) kept[name] = headers[name];
  const encodings = (headers['content-encoding'] ?? '').split(',').map((encoding) => encoding.trim());
  const encoding = encodings.filter((one) => one !== '' && one !== 'aws-chunked').join(',');
  if (encoding) kept['content-encoding'] = encoding;
  let size = 0;
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith('x-amz-meta-') || value === undefined) continue;
    size += name.length - 'x-amz-meta-'.length + Buffer.byteLength(value);
    kept[name] = value;
  }
  if (size > largestMetadata) {
    throw s3Error('MetadataTooLarge', undefined, { Size: size, MaxSizeAllowed: largestMetadata });
  }
  return kept;
};

const prefix = 'x-amz-server-side-encryption';

/**
 * Encryption is recorded and told, not done: the bytes lie in the clear in the laptop's own directory. Without a header
 * the bucket's default counts, as on AWS, where every object is encrypted with AES256 at least.
 */
export const encryptionOf = (headers: Headers, usual: Encryption): Encryption => {
  if (Object.keys(headers).some((name) => name.startsWith(`${prefix}-customer-`))) {
    throw s3Error(
      'NotImplemented',
      'Encryption with customer-provided keys (SSE-C) is not implemented; use SSE-S3 or SSE-KMS.',
    );
  }
  const algorithm = headers[prefix];
  if (algorithm === undefined) return usual;
  if (!['AES256', 'aws:kms', 'aws:kms:dsse'].includes(algorithm)) {
    throw s3Error('InvalidArgument', `${prefix} is "${algorithm}"; give AES256, aws:kms or aws:kms:dsse.`);
  }
  const kmsKey = headers[`${prefix}-aws-kms-key-id`];
  const bucketKey = headers[`${prefix}-bucket-key-enabled`] === 'true';
  return { algorithm, ...(kmsKey ? { kmsKey } : {}), ...(bucketKey ? { bucketKey } : {}) };
};

export const encryptionHeaders = (encryption: Encryption): Record<string, string> => ({
  [prefix]: encryption.algorithm,
  ...(encryption.kmsKey ? { [`${prefix}-aws-kms-key-id`]: encryption.kmsKey } : {}),
  ...(encryption.bucketKey ? { [`${prefix}-bucket-key-enabled`]: 'true' } : {}),
});

export const checksumHeaders = (checksum: Checksum | undefined): Record<string, string> =>
  checksum ? { [checksumHeader(checksum.name)]: checksum.value, 'x-amz-checksum-type': checksum.type } : {};

/** The members of an XML result that tell a checksum. */
export const checksumMembers = (checksum: Checksum | undefined): Record<string, string> =>
  checksum ? { [`Checksum${apiNameOf(checksum.name)}`]: checksum.value, ChecksumType: checksum.type } : {};

const storageClasses = [
  'STANDARD',
  'REDUCED_REDUNDANCY',
  'STANDARD_IA',
  'ONEZONE_IA',
  'INTELLIGENT_TIERING',
  'GLACIER',
  'DEEP_ARCHIVE',
  'GLACIER_IR',
];

export const storageClassOf = (headers: Headers): { storageClass?: string } => {
  const storageClass = headers['x-amz-storage-class'];
  if (storageClass === undefined || storageClass === 'STANDARD') return {};
  if (storageClasses.includes(storageClass)) return { storageClass };
  throw s3Error(
    'InvalidArgument',
    `x-amz-storage-class is "${storageClass}"; give one of ${storageClasses.join(', ')}.`,
  );
};
