import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type RequestOptions, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiException, KubeConfig } from '@kubernetes/client-node';
import { onTestFinished } from 'vitest';
import { type ControlPlanes, type Identity, startControlPlanes } from '../../../local/kubernetes/control-planes.ts';

/** Who the tokens `<cluster>-<user>` are. */
const users: Readonly<Record<string, Identity>> = {
  root: { username: 'root', groups: ['system:masters'] },
  jane: { username: 'jane', groups: ['developers'] },
};

export const tokenOf = (cluster: string, user: string): string => `${cluster}-${user}`;

export const startTestControlPlanes = (directory: string): Promise<ControlPlanes> =>
  startControlPlanes({
    directory,
    authenticate: async (cluster, token) =>
      token.startsWith(`${cluster}-`) ? users[token.slice(cluster.length + 1)] : undefined,
    log: (line) => process.stderr.write(`${line}\n`),
  });

/** A directory that goes when the file's tests have ended; the caller removes it. */
export const temporaryDirectory = async (): Promise<{ path: string; remove: () => Promise<void> }> => {
  const path = await mkdtemp(join(tmpdir(), 'tenantry-kubernetes-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
};

export const kubeConfigOf = (planes: ControlPlanes, cluster: string, token: string): KubeConfig => {
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [{ name: cluster, server: planes.endpoint(cluster), caData: planes.certificateAuthority }],
    users: [{ name: 'user', token }],
    contexts: [{ name: 'context', cluster, user: 'user' }],
    currentContext: 'context',
  });
  return config;
};

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  // biome-ignore lint/suspicious/noExplicitAny: an answer has the shape that the test expects
  readonly body: any;
}

export interface Asking {
  readonly token?: string;
  readonly contentType?: string;
  readonly accept?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A bare request: what no client library lets one send. */
export const ask = async (
  planes: ControlPlanes,
  cluster: string,
  method: string,
  path: string,
  { token = tokenOf(cluster, 'root'), contentType = 'application/json', accept, body, headers = {} }: Asking = {},
): Promise<Answer> => {
  const bytes = Buffer.isBuffer(body)
    ? body
    : Buffer.from(body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body));
  const options: RequestOptions = {
    method,
    ca: Buffer.from(planes.certificateAuthority, 'base64'),
    agent: false,
    headers: {
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
      'content-type': contentType,
      'user-agent': 'test/1',
      // Node frames the body of a DELETE by its length or not at all.
      'content-length': bytes.length,
      ...(accept ? { accept } : {}),
      ...headers,
    },
  };
  const sent = request(`${planes.endpoint(cluster)}${path}`, options);
  sent.end(bytes);
  const [response] = await once(sent, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return {
    status: response.statusCode,
    headers: response.headers,
    body: text.startsWith('{') ? JSON.parse(text) : text,
  };
};

/** The Status that a refused call of client-node carries. */
// biome-ignore lint/suspicious/noExplicitAny: a Status
export const refusalOf = async (call: Promise<unknown>): Promise<any> => {
  try {
    await call;
  } catch (error) {
    if (error instanceof ApiException) return JSON.parse(error.body as string);
    throw error;
  }
  throw new Error('the call was not refused');
};

export interface WatchEvent {
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: an object of any kind
  readonly object: any;
}

export interface OpenWatch {
  readonly events: WatchEvent[];
  /** Resolves with the events once there are so many. */
  first(count: number): Promise<WatchEvent[]>;
  /** Resolves when the server has ended the watch. */
  readonly ended: Promise<void>;
  close(): void;
}

/** A watch over a bare connection, closed when the test ends. */
export const openWatch = async (
  planes: ControlPlanes,
  cluster: string,
  path: string,
  accept = 'application/json',
): Promise<OpenWatch> => {
  const sent = request(`${planes.endpoint(cluster)}${path}`, {
    ca: Buffer.from(planes.certificateAuthority, 'base64'),
    agent: false,
    headers: { authorization: `Bearer ${tokenOf(cluster, 'root')}`, accept },
  });
  sent.on('error', () => {});
  sent.end();
  const [response] = await once(sent, 'response');
  const events: WatchEvent[] = [];
  const waiting = new Set<() => void>();
  let text = '';
  const ended = Promise.withResolvers<void>();
  response.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    const lines = text.split('\n');
    text = lines.pop()!;
    events.push(...lines.map((line) => JSON.parse(line) as WatchEvent));
    for (const look of waiting) look();
  });
  response.on('error', () => {});
  response.on('close', () => ended.resolve());
  onTestFinished(() => {
    sent.destroy();
  });
  return {
    events,
    ended: ended.promise,
    close: () => sent.destroy(),
    first: (count) => {
      const { promise, resolve, reject } = Promise.withResolvers<WatchEvent[]>();
      const look = (): void => {
        if (events.length >= count) resolve(events.slice(0, count));
      };
      const timer = setTimeout(
        () => reject(new Error(`${events.length} of ${count} events: ${JSON.stringify(events)}`)),
        10_000,
      );
      waiting.add(look);
      look();
      return promise.finally(() => {
        clearTimeout(timer);
        waiting.delete(look);
      });
    },
  };
};

/** A Deployment of one container that every rule allows. */
// biome-ignore lint/suspicious/noExplicitAny: tests change what they like
export const deployment = (name: string, namespace: string, replicas = 1): any => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'app', image: 'chat:1', ports: [{ containerPort: 8080 }] }] },
    },
  },
});

// biome-ignore lint/suspicious/noExplicitAny: tests change what they like
export const pod = (name: string, namespace: string, container: object = {}, spec: object = {}): any => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace },
  spec: { containers: [{ name: 'app', image: 'chat:1', ...container }], ...spec },
});

export const applyType = 'application/apply-patch+yaml';
