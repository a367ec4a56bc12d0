/** A request as it came over the wire: `url` is the raw path and query, undecoded, because the client signed those bytes. */
export interface SignedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Hex SHA-256 of the body, or the literal that S3 allows instead of it (`UNSIGNED-PAYLOAD`, `STREAMING-...`). */
  readonly payloadHash: string;
}

/** RFC 3986 escaping, which also covers the five characters that encodeURIComponent leaves alone. */
const percentEncode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);

const percentDecode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

export const splitUrl = (url: string): { path: string; query: string } => {
  const mark = url.indexOf('?');
  return mark < 0 ? { path: url, query: '' } : { path: url.slice(0, mark), query: url.slice(mark + 1) };
};

export const queryPairs = (query: string): [string, string][] =>
  query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const mark = pair.indexOf('=');
      return mark < 0
        ? [percentDecode(pair), '']
        : [percentDecode(pair.slice(0, mark)), percentDecode(pair.slice(mark + 1))];
    });

/** S3 signs the path as sent; every other service signs it with dot segments resolved and escaped once more. */
const canonicalPath = (service: string, path: string): string => {
  if (service === 's3') return path.split('/').map(percentDecode).map(percentEncode).join('/') || '/';
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(segment);
  }
  const trailing = kept.length > 0 && path.endsWith('/') ? '/' : '';
  return `/${kept.map(percentEncode).join('/')}${trailing}`;
};

const canonicalQuery = (query: string): string =>
  queryPairs(query)
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [percentEncode(name), percentEncode(value)] as const)
    .sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');

export const headerText = (headers: SignedRequest['headers'], name: string): string | undefined => {
  const value = headers[name];
  const text = Array.isArray(value) ? value.join(',') : value;
  return text?.trim().replace(/\s+/g, ' ');
};

/** The text that both sides hash; `signedHeaders` are in the client's own order. */
export const canonicalRequest = (request: SignedRequest, service: string, signedHeaders: readonly string[]): string => {
  const { path, query } = splitUrl(request.url);
  return [
    request.method,
    canonicalPath(service, path),
    canonicalQuery(query),
    ...signedHeaders.map((name) => `${name}:${headerText(request.headers, name) ?? ''}`),
    '',
    signedHeaders.join(';'),
    request.payloadHash,
  ].join('\n');
};
