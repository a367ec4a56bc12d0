import type { IncomingMessage } from 'node:http';
import { s3Error } from './errors.ts';

/** One request to S3, with bucket and key out of the path (path style) and decoded. `url` stays as the client signed it. */
export interface S3Request {
  readonly message: IncomingMessage;
  readonly requestId: string;
  readonly method: string;
  readonly url: string;
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
  /** Lower-case names; a presigned URL may carry `x-amz-` headers in its query, they are here too. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

const longestKey = 1024;

const decodePart = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    throw s3Error('InvalidURI', `The path part "${text.slice(0, 80)}" is not percent-encoded UTF-8.`);
  }
};

/**
 * Never `new URL()` on the path: it would resolve the keys `.` and `..`, which are legal and distinct, and so would let
 * one key read or overwrite another.
 */
const splitPath = (path: string): { bucket: string; key: string } => {
  const slash = path.indexOf('/', 1);
  if (slash < 0) return { bucket: decodePart(path.slice(1)), key: '' };
  return { bucket: decodePart(path.slice(1, slash)), key: decodePart(path.slice(slash + 1)) };
};

/** `+` stays a plus: S3 reads queries by RFC 3986, not as HTML forms. */
const parseQuery = (text: string): URLSearchParams => new URLSearchParams(text.replaceAll('+', '%2B'));

/**
 * The JavaScript SDK presigns a PUT with the CRC32 of the empty body that it holds while presigning. AWS does not look at
 * checksums in the query (aws-sdk-go-v2 issue 2610, localstack issue 12169); to verify them would refuse every such URL.
 */
const ignoredInQuery = /^x-amz-(sdk-checksum-algorithm|checksum-(?!mode$|algorithm$|type$).*)$/i;

const headersOf = (message: IncomingMessage, query: URLSearchParams): Record<string, string | undefined> => {
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(message.headers)) {
    headers[name] = Array.isArray(value) ? value.join(',') : value;
  }
  if (query.has('X-Amz-Signature')) {
    for (const [name, value] of query) {
      if (/^x-amz-/i.test(name) && !ignoredInQuery.test(name)) headers[name.toLowerCase()] ??= value;
    }
  }
  return headers;
};

/** Reads what the request line and headers say. Throws InvalidURI, KeyTooLongError. */
export const readRequest = (message: IncomingMessage, requestId: string): S3Request => {
  const url = message.url ?? '/';
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = parseQuery(mark < 0 ? '' : url.slice(mark + 1));
  const { bucket, key } = splitPath(path);
  if (Buffer.byteLength(key) > longestKey) {
    throw s3Error('KeyTooLongError', undefined, { Size: Buffer.byteLength(key), MaxSizeAllowed: longestKey });
  }
  const headers = headersOf(message, query);
  return { message, requestId, method: message.method ?? 'GET', url, bucket, key, query, headers };
};

/** An integer of the query. Throws InvalidArgument with the name and the value. */
export const integerOf = (
  request: S3Request,
  name: string,
  { least, most, usual }: { least: number; most: number; usual: number },
): number => {
  const text = request.query.get(name);
  if (text === null || text === '') return usual;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least) {
    throw s3Error('InvalidArgument', `${name} is "${text}"; give an integer of ${least} or more.`, {
      ArgumentName: name,
      ArgumentValue: text,
    });
  }
  return Math.min(value, most);
};
