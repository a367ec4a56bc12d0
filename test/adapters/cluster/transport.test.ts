import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { openClusterWith } from '../../../adapters/cluster/cluster.ts';
import { openTransport, pauseBefore } from '../../../adapters/cluster/transport.ts';

let certificate: { readonly private: string; readonly cert: string };
const closing: (() => void)[] = [];

beforeAll(async () => {
  certificate = await generate([{ name: 'commonName', value: 'api' }], {
    keyType: 'ec',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ],
  });
});

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

interface Seen {
  readonly url: string;
  readonly token: string;
  readonly socket: number | undefined;
}

/** An API server that answers what a test says, and notes what it was asked. */
const serve = async (answer: (request: number, response: ServerResponse, asked: IncomingMessage) => void) => {
  const seen: Seen[] = [];
  const server = createServer({ key: certificate.private, cert: certificate.cert }, (asked, response) => {
    seen.push({
      url: asked.url!,
      token: asked.headers.authorization!.replace('Bearer ', ''),
      socket: asked.socket.remotePort,
    });
    asked.resume();
    answer(seen.length, response, asked);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  let made = 0;
  const tokens = {
    refused: [] as string[],
    current: async () => `token-${made}`,
    forget: (token: string) => {
      tokens.refused.push(token);
      made += 1;
    },
  };
  const options = {
    endpoint: `https://127.0.0.1:${(server.address() as AddressInfo).port}/clusters/shared`,
    certificateAuthority: Buffer.from(certificate.cert).toString('base64'),
  };
  closing.push(() => server.close());
  closing.push(() => server.closeAllConnections());
  return { seen, tokens, options };
};

const json = (response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
};

const open = ({ tokens, options }: Awaited<ReturnType<typeof serve>>, patience = 5_000) => {
  const transport = openTransport({ ...options, cluster: 'shared', tokens, patience });
  closing.push(() => transport.close());
  return transport;
};

test('an API that is overloaded, restarting or cut off is asked again, as late as it wishes', async () => {
  const at: number[] = [];
  const api = await serve((request, response, asked) => {
    at.push(performance.now());
    if (request === 1) json(response, 429, { message: 'slow down' }, { 'retry-after': '1' });
    else if (request === 2) json(response, 503, { message: 'starting' });
    else if (request === 3) asked.socket.destroy();
    else json(response, 200, { kind: 'Namespace' });
  });
  const answer = await open(api).send({ method: 'GET', path: '/api/v1/namespaces/t-acme' });
  expect(answer).toEqual({ status: 200, body: { kind: 'Namespace' }, retryAfter: undefined });
  expect(at).toHaveLength(4);
  expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(990);
  expect(api.seen[0]!.url).toBe('/clusters/shared/api/v1/namespaces/t-acme');
});

test('a cluster that stays away is ClusterUnavailable with the last words, after the given patience', async () => {
  const api = await serve((_, response) => json(response, 503, { message: 'etcd has no leader' }));
  await expect(open(api, 400).send({ method: 'GET', path: '/version' })).rejects.toMatchObject({
    name: 'ClusterUnavailable',
    message: 'cluster shared does not answer GET /version: 503 etcd has no leader',
  });
  const late = await serve((_, response) => json(response, 429, {}, { 'retry-after': '60' }));
  await expect(open(late, 400).send({ method: 'GET', path: '/version' })).rejects.toMatchObject({
    name: 'ClusterUnavailable',
  });
  expect(late.seen).toHaveLength(1);
});

test('a token that the API refuses is replaced once; when the new one is refused too, the message says what to grant', async () => {
  const api = await serve((request, response) =>
    request === 1 ? json(response, 401, { message: 'Unauthorized' }) : json(response, 200, { gitVersion: 'v1.34.1' }),
  );
  const cluster = openClusterWith({ ...api.options, name: 'shared' }, api.tokens);
  closing.push(cluster.close);
  expect(await cluster.version()).toBe('v1.34.1');
  expect(api.seen.map(({ token }) => token)).toEqual(['token-0', 'token-1']);
  expect(api.tokens.refused).toEqual(['token-0']);

  const closed = await serve((_, response) => json(response, 401, { message: 'Unauthorized' }));
  const foreign = openClusterWith({ ...closed.options, name: 'shared' }, closed.tokens);
  closing.push(foreign.close);
  await expect(foreign.get({ apiVersion: 'v1', kind: 'Namespace', name: 'x' })).rejects.toMatchObject({
    name: 'ClusterUnavailable',
    message: expect.stringContaining('access entry'),
  });
  expect(closed.seen).toHaveLength(2);
});

test('every apply is strict, by one manager and by force; a dry run says so', async () => {
  const api = await serve((_, response) => json(response, 200, {}));
  const cluster = openClusterWith({ ...api.options, name: 'shared' }, api.tokens);
  closing.push(cluster.close);
  const object = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db', namespace: 't-acme' } };
  await cluster.apply([object]);
  await cluster.apply([object], { dryRun: true });
  const path = '/clusters/shared/api/v1/namespaces/t-acme/secrets/db';
  const query = '?fieldManager=tenantry&force=true&fieldValidation=Strict';
  expect(api.seen.map(({ url }) => url)).toEqual([`${path}${query}`, `${path}${query}&dryRun=All`]);
});

test('connections are kept, and a server with another certificate is not talked to', async () => {
  const api = await serve((_, response) => json(response, 200, {}));
  const transport = open(api);
  for (let request = 0; request < 3; request += 1) await transport.send({ method: 'GET', path: '/version' });
  expect(new Set(api.seen.map(({ socket }) => socket)).size).toBe(1);

  const other = await generate([{ name: 'commonName', value: 'other' }], { keyType: 'ec' });
  const options = { ...api.options, certificateAuthority: Buffer.from(other.cert).toString('base64') };
  await expect(open({ ...api, options }, 100).send({ method: 'GET', path: '/version' })).rejects.toMatchObject({
    name: 'ClusterUnavailable',
    message: expect.stringMatching(/certificate/),
  });
  expect(api.seen).toHaveLength(3);
});

test('pauses grow to five seconds and never start together', () => {
  expect([1, 2, 3, 20].map((next) => pauseBefore(next, undefined, () => 1))).toEqual([100, 200, 400, 5_000]);
  expect(pauseBefore(1, undefined, () => 0)).toBe(50);
  expect(pauseBefore(1, '3')).toBe(3_000);
  expect(pauseBefore(1, 'Fri, 27 Nov 2026 04:00:00 GMT', () => 1)).toBe(100);
});
