import { once } from 'node:events';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { largestRepeat } from '../../../local/ingress/own-app.ts';
import { createIngress } from '../../../local/ingress.ts';
import { call, listen, type TestServer } from './http.ts';

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

const host = 'acme.localhost';

let servers: TestServer[];
let ingress: TestServer;
let route: number | undefined;
let asked: string[];

const serve = async (handle: Handle): Promise<number> => {
  const server = await listen(handle);
  servers.push(server);
  return server.port;
};

const named =
  (name: string): Handle =>
  (incoming, response) => {
    const parts: Buffer[] = [];
    incoming.on('data', (part: Buffer) => parts.push(part));
    incoming.on('end', () =>
      response.end(
        JSON.stringify({ name, url: incoming.url, host: incoming.headers.host, size: Buffer.concat(parts).length }),
      ),
    );
  };

const moved: Handle = (incoming, response) => {
  incoming.resume();
  incoming.once('end', () => response.writeHead(503, { 'Retry-After': '1', 'tenantry-moved': 'acme' }).end('moved'));
};

beforeEach(async () => {
  servers = [];
  asked = [];
  route = undefined;
  const shared = await serve(named('shared'));
  ingress = await listen(
    createIngress({
      appPort: () => shared,
      ownAppPort: (name) => {
        asked.push(name);
        return name === host ? route : undefined;
      },
      token: 'token-of-this-run',
      invokeOperatorApi: () => Promise.resolve({}),
    }),
  );
});

afterEach(async () => {
  for (const server of [ingress, ...servers]) await server.close();
});

describe('a tenant with an app of its own', () => {
  test('is served by it at its host and below /t/, all others by the shared app', async () => {
    route = await serve(named('own'));
    expect(JSON.parse((await call(ingress.port, '/x', { headers: { host: 'ACME.localhost:4480' } })).body)).toEqual({
      name: 'own',
      url: '/x',
      host: 'ACME.localhost:4480',
      size: 0,
    });
    const byPath = await call(ingress.port, '/t/acme/x?y=1', { headers: { host: '127.0.0.1' } });
    expect(JSON.parse(byPath.body)).toEqual({ name: 'own', url: '/x?y=1', host, size: 0 });
    const other = await call(ingress.port, '/', { headers: { host: 'globex.localhost' } });
    expect(JSON.parse(other.body)).toMatchObject({ name: 'shared' });
    expect(new Set(asked)).toEqual(new Set([host, 'globex.localhost']));
  });

  test('is answered while its request still streams', async () => {
    route = await serve((incoming, response) => {
      incoming.once('data', (part: Buffer) => response.write(`<${part.toString()}>`));
      incoming.once('end', () => response.end());
    });
    const options = { host: '127.0.0.1', port: ingress.port, method: 'POST', agent: false, headers: { host } };
    const outgoing = request(options);
    outgoing.write('first');
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    const [part] = (await once(incoming, 'data')) as [Buffer];
    expect(part.toString()).toBe('<first>');
    outgoing.end();
    incoming.resume();
    await once(incoming, 'end');
  });
});

describe('a request that meets the move of its tenant', () => {
  test.each([
    ['without a body', ''],
    ['with a body of the largest size that is kept', 'x'.repeat(largestRepeat)],
  ])('%s is repeated until the route has changed, and reaches the new place whole', async (_, body) => {
    const next = await serve(named('new place'));
    let refusals = 0;
    route = await serve((incoming, response) => {
      refusals += 1;
      if (refusals === 3) route = next;
      moved(incoming, response);
    });
    const answer = await call(ingress.port, '/api/x', { method: 'POST', headers: { host }, body });
    expect(JSON.parse(answer.body)).toEqual({ name: 'new place', url: '/api/x', host, size: body.length });
    expect(refusals).toBe(3);
  });

  test('goes to the shared app when the tenant has moved there', async () => {
    route = await serve((incoming, response) => {
      route = undefined;
      moved(incoming, response);
    });
    expect(JSON.parse((await call(ingress.port, '/', { headers: { host } })).body)).toMatchObject({ name: 'shared' });
  });

  test('with a larger body is answered as it comes', async () => {
    let refusals = 0;
    route = await serve((incoming, response) => {
      refusals += 1;
      moved(incoming, response);
    });
    const body = 'x'.repeat(largestRepeat + 1);
    expect(await call(ingress.port, '/', { method: 'POST', headers: { host }, body })).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1', 'tenantry-moved': 'acme' },
      body: 'moved',
    });
    expect(refusals).toBe(1);
  });

  test('is answered with 503 after 5 s when the route stays', async () => {
    route = await serve(moved);
    const began = performance.now();
    expect((await call(ingress.port, '/', { headers: { host } })).status).toBe(503);
    const took = performance.now() - began;
    expect(took).toBeGreaterThan(4_900);
    expect(took).toBeLessThan(7_000);
  });

  test('and finds the old process gone is repeated too: nobody has seen it', async () => {
    const gone = await listen(moved);
    await gone.close();
    route = gone.port;
    const next = await serve(named('new place'));
    const answered = call(ingress.port, '/', { method: 'POST', headers: { host }, body: 'four' });
    while (asked.length < 3) await new Promise((done) => setImmediate(done));
    route = next;
    expect(JSON.parse((await answered).body)).toMatchObject({ name: 'new place', size: 4 });
  });

  test('is given up when its client goes away', async () => {
    let refusals = 0;
    let second: () => void = () => undefined;
    const twice = new Promise<void>((done) => {
      second = done;
    });
    route = await serve((incoming, response) => {
      refusals += 1;
      if (refusals === 2) second();
      moved(incoming, response);
    });
    const outgoing = request({ host: '127.0.0.1', port: ingress.port, agent: false, headers: { host } }).end();
    outgoing.on('error', () => undefined);
    await twice;
    const closed = new Promise<void>((done) => ingress.server.once('connection', () => done()));
    outgoing.destroy();
    await call(ingress.port, '/', { headers: { host: 'globex.localhost' } });
    await closed;
    const seen = refusals;
    // Twenty rounds of the event loop's timers are five times the pause between two tries.
    for (let round = 0; round < 20; round += 1) await new Promise((done) => setTimeout(done, 5));
    expect(refusals - seen).toBeLessThanOrEqual(1);
  });

  test("a 503 of the app that is not about a move is the tenant's answer", async () => {
    let answers = 0;
    route = await serve((_, response) => {
      answers += 1;
      response.writeHead(503, { 'Retry-After': '60' }).end('suspended');
    });
    expect(await call(ingress.port, '/', { headers: { host } })).toMatchObject({ status: 503, body: 'suspended' });
    expect(answers).toBe(1);
  });
});
