import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ClusterObjects } from '../cluster-objects.ts';

export interface Identity {
  readonly username: string;
  readonly groups: readonly string[];
}

/** One request to one cluster, authenticated. */
export interface Exchange {
  readonly objects: ClusterObjects;
  readonly identity: Identity;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  /** `/clusters/<name>`, which clients put before what the API tells them to ask for. */
  readonly prefix: string;
}

/** A Warning header has quotes of its own. */
const warningHeader = (text: string): string => `299 - "${text.replace(/[\\"]/g, '\\$&')}"`;

export const answer = (
  response: ServerResponse,
  status: number,
  body: object,
  { warnings = [], type = 'application/json' }: { warnings?: readonly string[]; type?: string } = {},
): void => {
  const bytes = Buffer.from(JSON.stringify(body));
  if (warnings.length > 0) response.setHeader('warning', warnings.map(warningHeader));
  response.writeHead(status, {
    'content-type': type,
    'content-length': bytes.length,
    'cache-control': 'no-cache, private',
  });
  response.end(bytes);
};
