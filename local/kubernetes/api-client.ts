import type { IncomingMessage } from 'node:http';
import { Agent, request as send } from 'node:https';
import { createInterface } from 'node:readline';

/** How a cluster is reached; `certificateAuthority` is base64 PEM, as EKS tells it. */
export interface ApiConnection {
  readonly server: string;
  readonly token: string;
  readonly certificateAuthority: string;
}

/** What a Kubernetes API refused, in the words of its Status object. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  /** `NotFound`, `AlreadyExists`, `Conflict`, `Forbidden`, `Expired`, ... */
  readonly reason: string;
  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

export const isApiError = (error: unknown, ...statuses: number[]): error is ApiError =>
  error instanceof ApiError && (statuses.length === 0 || statuses.includes(error.status));

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: unknown;
}

export interface RequestOptions {
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** `application/json` unless told. */
  readonly contentType?: string;
  readonly accept?: string;
}

export interface ApiClient {
  /** The answer's JSON. Throws ApiError for a refusal, and what the socket says when there is no answer. */
  request<Result>(method: string, path: string, options?: RequestOptions): Promise<Result>;
  /** Calls `onEvent` for every event and resolves when the server ends the watch. Throws ApiError for a refusal. */
  watch(
    path: string,
    query: Readonly<Record<string, string>>,
    onEvent: (event: WatchEvent) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** Cuts every connection; requests under way fail. */
  close(): void;
}

/** A request that is not answered in this time failed; the server answers in milliseconds. */
const patience = 30_000;

const textOf = async (incoming: IncomingMessage): Promise<string> => {
  const parts: Buffer[] = [];
  for await (const part of incoming as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
};

const refusal = (status: number, text: string): ApiError => {
  try {
    const { reason, message } = JSON.parse(text) as { reason?: string; message?: string };
    return new ApiError(status, reason ?? '', message ?? text);
  } catch {
    return new ApiError(status, '', text.slice(0, 500));
  }
};

/** A client of one cluster: JSON over HTTPS with a bearer token. Watches have connections of their own. */
export const openApiClient = ({ server, token, certificateAuthority }: ApiConnection): ApiClient => {
  const base = new URL(server);
  const prefix = base.pathname.replace(/\/$/, '');
  const ca = Buffer.from(certificateAuthority, 'base64');
  const agent = new Agent({ keepAlive: true, maxSockets: 8, timeout: 5_000, ca });
  const watches = new Agent({ keepAlive: false, ca });

  const open = (
    method: string,
    path: string,
    { query = {}, body, contentType = 'application/json', accept = 'application/json' }: RequestOptions,
    connection: { agent: Agent; signal?: AbortSignal; timeout?: number },
  ): Promise<IncomingMessage> =>
    new Promise((answer, fail) => {
      const search = new URLSearchParams(query).toString();
      const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      const outgoing = send(
        {
          ...connection,
          host: base.hostname,
          port: base.port,
          method,
          path: `${prefix}${path}${search && `?${search}`}`,
          headers: {
            authorization: `Bearer ${token}`,
            accept,
            'user-agent': 'tenantry-controllers',
            ...(payload && { 'content-type': contentType, 'content-length': payload.length }),
          },
        },
        answer,
      );
      outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer to ${method} ${path} in ${patience} ms`)));
      outgoing.once('error', fail);
      outgoing.end(payload);
    });

  return {
    request: async <Result>(method: string, path: string, options: RequestOptions = {}) => {
      const incoming = await open(method, path, options, { agent, timeout: patience });
      const text = await textOf(incoming);
      const status = incoming.statusCode ?? 0;
      if (status < 200 || status > 299) throw refusal(status, text);
      return JSON.parse(text) as Result;
    },
    watch: async (path, query, onEvent, signal) => {
      const incoming = await open('GET', path, { query: { ...query, watch: 'true' } }, { agent: watches, signal });
      const status = incoming.statusCode ?? 0;
      if (status !== 200) throw refusal(status, await textOf(incoming));
      const failed = new Promise<never>((_, fail) => incoming.once('error', fail));
      const lines = createInterface({ input: incoming });
      lines.on('error', () => undefined);
      lines.on('line', (line) => line !== '' && onEvent(JSON.parse(line) as WatchEvent));
      await Promise.race([new Promise<void>((end) => incoming.once('close', end)), failed]);
    },
    close: () => {
      agent.destroy();
      watches.destroy();
    },
  };
};
