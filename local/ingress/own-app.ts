import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import { answerDown, passOn, requestTo } from './proxy.ts';

export interface OwnAppTarget {
  /** Where the request goes first. */
  readonly first: number;
  /** Where it goes when it has to be repeated; asked anew each time. */
  readonly port: () => number | undefined;
  readonly host: string;
  readonly path: string;
}

/** Bodies up to this size are kept for a repeat. */
export const largestRepeat = 1_048_576;

/** A request is repeated every `pause` milliseconds for at most `longest`. */
const patience = { pause: 20, longest: 5_000 } as const;

/** The header by which an own app says that its tenant lives elsewhere now; nothing was written. */
export const movedHeader = 'tenantry-moved';

const hasMoved = ({ statusCode, headers }: IncomingMessage): boolean =>
  statusCode === 503 && headers[movedHeader] !== undefined;

/** Keeps a copy of the body while it streams to the app: the whole of it, or undefined when it is too large or breaks off. */
const keepBody = (request: IncomingMessage): Promise<Buffer | undefined> =>
  new Promise((whole) => {
    const parts: Buffer[] = [];
    let size = 0;
    request.on('data', (part: Buffer) => {
      size += part.length;
      if (size <= largestRepeat) parts.push(part);
      else whole(undefined);
    });
    request.once('end', () => whole(Buffer.concat(parts)));
    request.once('close', () => whole(undefined));
  });

/**
 * Streams a request to an own app and its answer back. While the tenant is moved to another place, the request is repeated until its
 * route has changed: where the app at the old place answers 503 with `tenantry-moved`, or its process is gone and refuses the connection.
 * In both cases the app has done nothing with the request.
 */
export const proxyOwnApp = (request: IncomingMessage, response: ServerResponse, target: OwnAppTarget): void => {
  const { host, path } = target;
  const end = performance.now() + patience.longest;
  const body = keepBody(request);
  let outgoing: ClientRequest | undefined;
  let timer: NodeJS.Timeout | undefined;
  response.once('close', () => {
    clearTimeout(timer);
    if (!response.writableFinished) outgoing?.destroy();
  });

  /** Tries again if that makes sense, else does `otherwise`. */
  const repeat = async (otherwise: () => void): Promise<void> => {
    const kept = performance.now() + patience.pause > end ? undefined : await body;
    if (response.destroyed) return;
    if (kept === undefined) otherwise();
    else timer = setTimeout(() => attempt(target.port(), kept), patience.pause);
  };

  const hear = (sent: ClientRequest, port: number): void => {
    let moved = false;
    outgoing = sent;
    sent.once('response', (incoming) => {
      moved = hasMoved(incoming);
      if (!moved) {
        passOn(incoming, response);
        return;
      }
      // It may have answered before it had the whole body.
      request.unpipe(sent);
      request.resume();
      void repeat(() => passOn(incoming, response)).then(() => response.headersSent || incoming.destroy());
    });
    sent.on('error', (error: NodeJS.ErrnoException) => {
      request.unpipe(sent);
      request.resume();
      const give = (): void => answerDown(response, `${error.code ?? error.message} on 127.0.0.1:${port}`);
      if (moved) return;
      if (response.headersSent) response.destroy();
      else if (error.code === 'ECONNREFUSED') void repeat(give);
      else give();
    });
  };

  const attempt = (port: number | undefined, kept: Buffer): void => {
    if (port === undefined) {
      void repeat(() => answerDown(response, 'it is not running'));
      return;
    }
    const length = kept.length > 0 || request.headers['content-length'] !== undefined;
    const sent = requestTo(request, { port, host, path }, length ? { 'content-length': String(kept.length) } : {});
    hear(sent, port);
    sent.end(kept.length > 0 ? kept : undefined);
  };

  const first = requestTo(request, { port: target.first, host, path });
  hear(first, target.first);
  request.pipe(first);
};
