import { s3Error } from './errors.ts';

type Headers = Readonly<Record<string, string | undefined>>;

/** What conditions look at: ETag without quotes, time in epoch milliseconds. */
export interface Conditioned {
  readonly etag: string;
  readonly modified: number;
}

const bare = (etag: string): string =>
  etag
    .trim()
    .replace(/^W\//, '')
    .replace(/^"(.*)"$/, '$1');

const names = (header: string, etag: string): boolean =>
  header.split(',').some((one) => one.trim() === '*' || bare(one) === etag);

const failed = (condition: string) => s3Error('PreconditionFailed', undefined, { Condition: condition });

/**
 * Conditions of a write: If-None-Match: * creates only, If-Match replaces only what the caller has seen. Run it inside the
 * commit that writes, where no other write can come between. Throws PreconditionFailed, or NoSuchKey for If-Match on nothing.
 */
export const checkWrite = (headers: Headers, current: Conditioned | undefined, key: string): void => {
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch.trim() !== '*') {
      throw s3Error('NotImplemented', `If-None-Match on a write is "${ifNoneMatch}"; only * is supported, as on AWS.`);
    }
    if (current) throw failed('If-None-Match');
  }
  const ifMatch = headers['if-match'];
  if (ifMatch === undefined) return;
  if (!current) throw s3Error('NoSuchKey', undefined, { Key: key });
  if (!names(ifMatch, current.etag)) throw failed('If-Match');
};

/** HTTP dates have whole seconds. */
const changedSince = (header: string | undefined, modified: number): boolean | undefined => {
  const since = header === undefined ? Number.NaN : Date.parse(header);
  return Number.isNaN(since) ? undefined : Math.floor(modified / 1000) > Math.floor(since / 1000);
};

/**
 * Conditions of a read in the order of RFC 9110, section 13.2.2, which is AWS's: a matching If-Match outvotes
 * If-Unmodified-Since, a given If-None-Match outvotes If-Modified-Since. Answers false for "304 Not Modified".
 * `prefix` is `x-amz-copy-source-` for the source of a copy.
 */
export const checkRead = (headers: Headers, version: Conditioned, prefix = ''): boolean => {
  const ifMatch = headers[`${prefix}if-match`];
  if (ifMatch !== undefined) {
    if (!names(ifMatch, version.etag)) throw failed('If-Match');
  } else if (changedSince(headers[`${prefix}if-unmodified-since`], version.modified))
    throw failed('If-Unmodified-Since');
  const ifNoneMatch = headers[`${prefix}if-none-match`];
  if (ifNoneMatch !== undefined) return !names(ifNoneMatch, version.etag);
  return changedSince(headers[`${prefix}if-modified-since`], version.modified) !== false;
};

/** A copy has no "304": any source condition that does not hold fails it. */
export const checkCopySource = (headers: Headers, source: Conditioned): void => {
  if (!checkRead(headers, source, 'x-amz-copy-source-')) throw failed('x-amz-copy-source-If-None-Match');
};

export interface ByteRange {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

/**
 * The bytes that a Range header asks for; undefined for the whole object: no header, several ranges (which S3 does not
 * serve) or one that is not understood. Throws InvalidRange when no byte of it exists.
 */
export const rangeOf = (headers: Headers, version: Conditioned & { readonly size: number }): ByteRange | undefined => {
  const match = /^bytes=(?:(\d+)-(\d*)|-(\d+))$/.exec(headers.range?.trim() ?? '');
  const ifRange = headers['if-range'];
  if (!match || (ifRange !== undefined && !names(ifRange, version.etag))) return undefined;
  const [, first, last, suffix] = match;
  const { size } = version;
  const start = suffix === undefined ? Number(first) : Math.max(size - Number(suffix), 0);
  const end = last ? Math.min(Number(last), size - 1) : size - 1;
  if (last && Number(last) < Number(first)) return undefined;
  if (start > end) {
    throw s3Error('InvalidRange', undefined, { RangeRequested: headers.range, ActualObjectSize: size });
  }
  return { start, end };
};
