import type { IncomingMessage, ServerResponse } from 'node:http';

/** An event of API Gateway's HTTP API, payload format 2.0, as Lambda functions get it. */
export interface HttpApiEvent {
  readonly version: '2.0';
  readonly routeKey: '$default';
  readonly rawPath: string;
  readonly rawQueryString: string;
  readonly cookies?: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly queryStringParameters?: Readonly<Record<string, string>>;
  readonly requestContext: {
    readonly accountId: string;
    readonly apiId: string;
    readonly domainName: string;
    readonly domainPrefix: string;
    readonly http: { method: string; path: string; protocol: string; sourceIp: string; userAgent: string };
    readonly requestId: string;
    readonly routeKey: '$default';
    readonly stage: '$default';
    readonly time: string;
    readonly timeEpoch: number;
  };
  readonly body?: string;
  readonly isBase64Encoded: boolean;
}

/** What a function answers; a value without `statusCode` is the body of a 200 as JSON (format 2.0 infers it). */
export interface HttpApiResponse {
  readonly statusCode?: number;
  readonly headers?: Readonly<Record<string, string | number | boolean>>;
  readonly cookies?: readonly string[];
  readonly body?: string;
  readonly isBase64Encoded?: boolean;
}

/** HTTP API's limit is 10 MB, but the synchronous payload of Lambda is 6 MB, and base64 takes a third of it. */
export const largestBody = 4_500_000;

/** The whole body, or undefined when it is larger than `largestBody`. */
export const readBody = async (request: IncomingMessage): Promise<Buffer | undefined> => {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size <= largestBody) parts.push(part);
  }
  return size > largestBody ? undefined : Buffer.concat(parts);
};

const isText = (contentType: string | undefined): boolean =>
  contentType === undefined ||
  /^(text\/|application\/(json|javascript|xml|x-www-form-urlencoded|[\w.-]+\+(json|xml)))/i.test(contentType);

/** Duplicate headers are joined by commas, cookies stand apart, repeated query keys are joined. */
export const httpApiEvent = (
  request: IncomingMessage,
  body: Buffer,
  options: { host: string; requestId: string; now: Date },
): HttpApiEvent => {
  const url = new URL(request.url ?? '/', 'http://api.localhost');
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headersDistinct))
    if (name !== 'cookie') headers[name] = (value ?? []).join(',');
  const cookies = request.headers.cookie?.split(/;\s*/).filter((cookie) => cookie !== '');
  const query: Record<string, string> = {};
  for (const [name, value] of url.searchParams)
    query[name] = query[name] === undefined ? value : `${query[name]},${value}`;
  const text = isText(request.headers['content-type']);
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: url.pathname,
    rawQueryString: url.search.slice(1),
    ...(cookies && { cookies }),
    headers,
    ...(Object.keys(query).length > 0 && { queryStringParameters: query }),
    requestContext: {
      accountId: 'anonymous',
      apiId: 'local',
      domainName: options.host,
      domainPrefix: options.host.split('.')[0] ?? '',
      http: {
        method: request.method ?? 'GET',
        path: url.pathname,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.socket.remoteAddress ?? '127.0.0.1',
        userAgent: request.headers['user-agent'] ?? '',
      },
      requestId: options.requestId,
      routeKey: '$default',
      stage: '$default',
      time: options.now.toISOString(),
      timeEpoch: options.now.getTime(),
    },
    ...(body.length > 0 && { body: text ? body.toString('utf8') : body.toString('base64') }),
    isBase64Encoded: body.length > 0 && !text,
  };
};

/** Writes a function's answer as API Gateway does. */
export const sendHttpApiResponse = (response: ServerResponse, answer: unknown): void => {
  const shaped = typeof answer === 'object' && answer !== null && 'statusCode' in answer;
  const {
    statusCode = 200,
    headers = {},
    cookies = [],
    body = '',
    isBase64Encoded = false,
  } = (
    shaped ? answer : { body: JSON.stringify(answer ?? null), headers: { 'Content-Type': 'application/json' } }
  ) as HttpApiResponse;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, String(value));
  if (cookies.length > 0) response.setHeader('Set-Cookie', [...cookies]);
  if (!response.hasHeader('Content-Type') && body !== '') response.setHeader('Content-Type', 'application/json');
  response.writeHead(statusCode).end(isBase64Encoded ? Buffer.from(body, 'base64') : body);
};
