import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { StepFailure } from '../../domain/errors.ts';
import type { Tokens } from './token.ts';

export interface TransportOptions {
  /** Name of the cluster, for messages. */
  readonly cluster: string;
  /** `https://...`, with or without a path; DescribeCluster's `endpoint`. */
  readonly endpoint: string;
  /** Base64 of a PEM; DescribeCluster's `certificateAuthority.data`. */
  readonly certificateAuthority: string;
  readonly tokens: Tokens;
  /** Milliseconds for which one call is tried again; 15 s unless told: a step has 30 s, 8 s of which it looks. */
  readonly patience?: number;
}

export interface ApiRequest {
  readonly method: 'GET' | 'PATCH' | 'DELETE';
  /** Path and query below the cluster's endpoint. */
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
}

export interface ApiAnswer {
  readonly status: number;
  /** Parsed JSON; what Kubernetes answers when it refuses is a `Status`. */
  readonly body: unknown;
}

export interface Transport {
  /** The answer, whatever its status, but for those worth a repeat. Throws ClusterUnavailable when patience ends. */
  send(request: ApiRequest): Promise<ApiAnswer>;
  close(): void;
}

interface Exchange extends ApiAnswer {
  readonly retryAfter: string | undefined;
}

/** Sockets of one cluster: 16 apply 100 tenants' sets at the pace of the API; more only queue there. */
const sockets = 16;

/** A single answer may take so long: an apply waits 10 s for each admission webhook unless that is configured otherwise. */
const answerMillis = 15_000;

const unzip = promisify(gunzip);

const readBody = async (response: IncomingMessage): Promise<unknown> => {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const raw = Buffer.concat(chunks);
  const text = (response.headers['content-encoding'] === 'gzip' ? await unzip(raw) : raw).toString();
  if (text === '') return {};
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // A proxy in between answers in its own words.
    return { message: text.slice(0, 500) };
  }
};

/** Milliseconds to wait before attempt `next`: what the server asks for, else 100 ms doubled up to 5 s, with jitter. */
export const pauseBefore = (
  next: number,
  retryAfter: string | undefined,
  random: () => number = Math.random,
): number => {
  const asked = Number(retryAfter);
  if (retryAfter !== undefined && Number.isFinite(asked) && asked >= 0) return asked * 1_000;
  return Math.min(5_000, 100 * 2 ** (next - 1)) * (0.5 + random() / 2);
};

/** An unknown field is a 500 to the API server: its apply wraps what the merge library says (structuredmerge.go, `Apply`). */
const isMisfit = (body: unknown): boolean => messageOf(body).startsWith('failed to create typed ');

const worthRepeating = ({ status, body }: ApiAnswer): boolean =>
  status === 429 || (status >= 500 && status !== 501 && !isMisfit(body));

/**
 * HTTPS to one cluster, by the platform alone: kept connections, the cluster's own CA, a bearer token that is signed anew
 * after a 401. Bundled and minified this is 2 kB, the whole adapter with its signatures 155 kB that load in 27 ms;
 * @kubernetes/client-node is 1.4 MB and takes 150 ms, and its typed patch drops misspelt fields before Strict validation
 * sees them (measured).
 */
export const openTransport = (options: TransportOptions): Transport => {
  const { cluster, tokens, patience = 15_000 } = options;
  const base = new URL(options.endpoint);
  const prefix = base.pathname.replace(/\/$/, '');
  const agent = new Agent({
    keepAlive: true,
    maxSockets: sockets,
    ca: Buffer.from(options.certificateAuthority, 'base64').toString(),
  });
  const exchange = async (sent: ApiRequest, token: string): Promise<Exchange> => {
    const body = sent.body === undefined ? undefined : JSON.stringify(sent.body);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const going = request(
        {
          agent,
          hostname: base.hostname,
          port: base.port || 443,
          method: sent.method,
          path: `${prefix}${sent.path}`,
          timeout: answerMillis,
          headers: {
            authorization: `Bearer ${token}`,
            accept: 'application/json',
            'accept-encoding': 'gzip',
            'user-agent': 'tenantry',
            ...(body === undefined
              ? {}
              : { 'content-type': sent.contentType ?? 'application/json', 'content-length': Buffer.byteLength(body) }),
          },
        },
        resolve,
      );
      going.once('timeout', () => going.destroy(new Error(`no answer within ${answerMillis / 1_000} s`)));
      going.once('error', reject);
      going.end(body);
    });
    return {
      status: response.statusCode ?? 0,
      body: await readBody(response),
      retryAfter: response.headers['retry-after'],
    };
  };
  const unavailable = (sent: ApiRequest, why: string, cause?: unknown): StepFailure =>
    new StepFailure('ClusterUnavailable', `cluster ${cluster} does not answer ${sent.method} ${sent.path}: ${why}`, {
      cause,
    });
  const attempt = async (sent: ApiRequest): Promise<Exchange | { readonly failed: unknown }> => {
    const token = await tokens.current();
    try {
      const answer = await exchange(sent, token);
      if (answer.status !== 401) return answer;
      tokens.forget(token);
      return await exchange(sent, await tokens.current());
    } catch (failed) {
      return { failed };
    }
  };
  const send = async (sent: ApiRequest): Promise<ApiAnswer> => {
    const end = performance.now() + patience;
    for (let next = 1; ; next += 1) {
      const answer = await attempt(sent);
      const failed = 'failed' in answer;
      if (!failed && !worthRepeating(answer)) return answer;
      const pause = pauseBefore(next, failed ? undefined : answer.retryAfter);
      if (performance.now() + pause > end)
        throw failed
          ? unavailable(
              sent,
              answer.failed instanceof Error ? answer.failed.message : String(answer.failed),
              answer.failed,
            )
          : unavailable(sent, `${answer.status} ${messageOf(answer.body)}`);
      await delay(pause);
    }
  };
  return { send, close: () => agent.destroy() };
};

/** The words of a `Status`, Kubernetes' answer when it refuses. */
export const messageOf = (body: unknown): string =>
  typeof body === 'object' && body !== null && 'message' in body ? String(body.message) : 'without a reason';
