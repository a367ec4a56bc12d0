import {
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
  request as send,
} from 'node:http';
import { sendPage } from './answers.ts';

/** Hop-by-hop headers end here (RFC 9110, 7.6.1); what `Connection` names goes with them. */
const hopByHop = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

const endToEnd = (headers: IncomingHttpHeaders): IncomingHttpHeaders => {
  const named = (headers.connection ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim());
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !hopByHop.includes(name) && !named.includes(name)),
  );
};

/** What the client says about itself in X-Forwarded-* is dropped: we are the first hop. */
const forwarded = (request: IncomingMessage, host: string): IncomingHttpHeaders => ({
  'x-forwarded-for': request.socket.remoteAddress ?? '127.0.0.1',
  'x-forwarded-host': request.headers.host ?? host,
  'x-forwarded-port': String(request.socket.localPort ?? ''),
  'x-forwarded-proto': 'http',
});

export interface ProxyTarget {
  /** Undefined while the app is down. */
  readonly port: number | undefined;
  /** The Host that the app sees. */
  readonly host: string;
  /** Path and query that the app sees. */
  readonly path: string;
}

export const answerDown = (response: ServerResponse, cause: string): void => {
  sendPage(
    response,
    502,
    'The app does not answer',
    `The process of the hosted app cannot be reached: ${cause}. It is started again by itself; its log tells why it went down.`,
    {
      'Retry-After': '1',
    },
  );
};

/** Begins a request to the app. Whoever calls sends the body, and hears the answer and the error. */
export const requestTo = (
  request: IncomingMessage,
  { port, host, path }: ProxyTarget & { readonly port: number },
  headers: IncomingHttpHeaders = {},
): ClientRequest =>
  send({
    host: '127.0.0.1',
    port,
    agent: false,
    method: request.method,
    path,
    headers: { ...endToEnd(request.headers), ...forwarded(request, host), host, ...headers },
  });

/** Streams the app's answer to the client. */
export const passOn = (incoming: IncomingMessage, response: ServerResponse): void => {
  response.writeHead(incoming.statusCode ?? 502, incoming.statusMessage, endToEnd(incoming.headers));
  incoming.pipe(response);
  // The head is out: the only way left to tell the client that the body is not whole is to cut the connection.
  incoming.once('error', () => response.destroy());
};

/**
 * Streams a request to the app and its answer back. A new connection per request: a kept one that the app closes at that moment (a
 * restart) would fail requests that the app never saw. A client that goes away cancels the request at the app.
 */
export const proxy = (request: IncomingMessage, response: ServerResponse, target: ProxyTarget): void => {
  const { port } = target;
  if (port === undefined) {
    request.resume();
    answerDown(response, 'it is not running');
    return;
  }
  const outgoing = requestTo(request, { ...target, port });
  outgoing.once('response', (incoming) => passOn(incoming, response));
  outgoing.once('error', (error: NodeJS.ErrnoException) => {
    request.unpipe(outgoing);
    request.resume();
    if (response.headersSent) response.destroy();
    else answerDown(response, `${error.code ?? error.message} on 127.0.0.1:${port}`);
  });
  response.once('close', () => {
    if (!response.writableFinished) outgoing.destroy();
  });
  request.pipe(outgoing);
};
