import { once } from 'node:events';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type HttpApiEvent, largestBody } from '../../local/ingress/http-api.ts';
import { createIngress } from '../../local/ingress.ts';
import { call, listen, type TestServer } from './ingress/http.ts';

const token = 'token-of-this-run';
const authorised = { host: 'api.localhost', authorization: `Bearer ${token}` };

let app: TestServer;
let ingress: TestServer;
let appPort: number | undefined;
let serveApp: (request: IncomingMessage, response: ServerResponse) => void;
let answer: (event: HttpApiEvent) => Promise<unknown>;
let events: HttpApiEvent[];

beforeEach(async () => {
  events = [];
  serveApp = (incoming, response) => response.end(JSON.stringify({ url: incoming.url, headers: incoming.headers }));
  answer = () =>
    Promise.resolve({ statusCode: 200, headers: { 'content-type': 'application/json' }, body: '{"ok":true}' });
  app = await listen((incoming, response) => serveApp(incoming, response));
  appPort = app.port;
  ingress = await listen(
    createIngress({
      appPort: () => appPort,
      token,
      invokeOperatorApi: (event) => {
        events.push(event);
        return answer(event);
      },
    }),
  );
});

afterEach(async () => {
  await ingress.close();
  await app.close();
});

const seenByApp = async (path: string, headers: Record<string, string>) => {
  const { body } = await call(ingress.port, path, { headers });
  return JSON.parse(body) as { url: string; headers: Record<string, string> };
};

describe("a tenant's host", () => {
  test.each(['acme.localhost', 'acme.localhost:4480', 'chat.acme.example'])(
    '%s reaches the app with its Host kept',
    async (host) => {
      expect(await seenByApp('/x?y=1', { host })).toMatchObject({ url: '/x?y=1', headers: { host } });
    },
  );

  test('is told who asked, and what the client claims about that is dropped', async () => {
    const { headers } = await seenByApp('/', {
      host: 'acme.localhost:4480',
      'x-forwarded-for': '6.6.6.6',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'evil',
    });
    expect(headers).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'acme.localhost:4480',
      'x-forwarded-port': String(ingress.port),
    });
  });

  test('does not get hop-by-hop headers, nor those that Connection names', async () => {
    const { headers } = await seenByApp('/', {
      host: 'acme.localhost',
      connection: 'x-secret',
      'x-secret': '1',
      te: 'trailers',
      'x-kept': '1',
    });
    expect(headers).toMatchObject({ 'x-kept': '1' });
    expect(headers).not.toHaveProperty('x-secret');
    expect(headers).not.toHaveProperty('te');
  });

  test("keeps the app's own /api/v1", async () => {
    expect(await seenByApp('/api/v1/things', { host: 'acme.localhost' })).toMatchObject({ url: '/api/v1/things' });
    expect(events).toEqual([]);
  });

  test('answers while the app still sends, in both directions', async () => {
    let finish = (): void => undefined;
    serveApp = (incoming, response) => {
      response.writeHead(200, ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']);
      incoming.on('data', (part: Buffer) => response.write(`<${part.toString()}>`));
      finish = () => response.end('done');
    };
    const outgoing = request({
      host: '127.0.0.1',
      port: ingress.port,
      method: 'POST',
      agent: false,
      headers: { host: 'acme.localhost' },
    });
    outgoing.write('first');
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    expect(incoming.headers['set-cookie']).toEqual(['a=1', 'b=2']);
    const [part] = (await once(incoming, 'data')) as [Buffer];
    expect(part.toString()).toBe('<first>');
    finish();
    outgoing.end();
    incoming.resume();
    await once(incoming, 'end');
  });

  test('a client that goes away cancels its request at the app', async () => {
    const cancelled = new Promise<void>((done) => {
      serveApp = (_, response) => {
        response.write('x');
        response.once('close', done);
      };
    });
    const outgoing = request({
      host: '127.0.0.1',
      port: ingress.port,
      agent: false,
      headers: { host: 'acme.localhost' },
    }).end();
    outgoing.on('error', () => undefined);
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    incoming.on('error', () => undefined);
    outgoing.destroy();
    await cancelled;
  });

  test('an answer that the app breaks off is broken off, not passed for whole', async () => {
    serveApp = (_, response) => {
      // Chunked: without a length, only the end of the stream tells whole from half.
      response.write('half', () => response.destroy());
    };
    await expect(call(ingress.port, '/', { headers: { host: 'acme.localhost' } })).rejects.toThrow();
  });

  test('of an app that is down is a page of 502 that names the cause', async () => {
    appPort = undefined;
    expect(await call(ingress.port, '/', { headers: { host: 'acme.localhost' } })).toMatchObject({
      status: 502,
      body: expect.stringContaining('it is not running'),
    });
    appPort = app.port;
    await app.close();
    const refused = await call(ingress.port, '/', {
      method: 'POST',
      body: 'x'.repeat(100_000),
      headers: { host: 'acme.localhost' },
    });
    expect(refused).toMatchObject({
      status: 502,
      headers: { 'retry-after': '1' },
      body: expect.stringContaining(`ECONNREFUSED on 127.0.0.1:${appPort}`),
    });
    app = await listen((incoming, response) => serveApp(incoming, response));
  });

  test('is also found by a path, for resolvers that do not know *.localhost', async () => {
    expect(await seenByApp('/t/acme/api/me?x=1', { host: `127.0.0.1:${ingress.port}` })).toMatchObject({
      url: '/api/me?x=1',
      headers: { host: 'acme.localhost' },
    });
    expect(await call(ingress.port, '/t/acme', { headers: { host: '127.0.0.1' } })).toMatchObject({
      status: 308,
      headers: { location: '/t/acme/' },
    });
  });
});

describe('the operator API', () => {
  test.each(['api.localhost', 'console.localhost:4566', '127.0.0.1:4566'])(
    'answers at %s to the token of this run',
    async (host) => {
      expect(await call(ingress.port, '/api/v1/tenants', { headers: { ...authorised, host } })).toMatchObject({
        status: 200,
        body: '{"ok":true}',
      });
    },
  );

  test.each(['evil.example', 'acme.localhost', 'api.localhost.evil.example', 'localhost', '10.0.0.7', '[::1]'])(
    'does not answer at %s, even to the token, and the app never sees the token',
    async (host) => {
      let reached = false;
      serveApp = (_, response) => {
        reached = true;
        response.end();
      };
      expect(await call(ingress.port, '/api/v1/tenants', { headers: { ...authorised, host } })).toMatchObject({
        status: 421,
      });
      expect({ events, reached }).toEqual({ events: [], reached: false });
    },
  );

  test.each(['cross-site', 'same-site'])('refuses a page that is %s, token or not', async (site) => {
    const answered = await call(ingress.port, '/api/v1/tenants', {
      method: 'POST',
      headers: { ...authorised, 'sec-fetch-site': site },
    });
    expect(answered).toMatchObject({ status: 403, headers: { 'content-type': 'application/problem+json' } });
    expect(events).toEqual([]);
  });

  test.each(['same-origin', 'none'])('lets Sec-Fetch-Site %s through', async (site) => {
    expect(
      (await call(ingress.port, '/api/v1/tenants', { headers: { ...authorised, 'sec-fetch-site': site } })).status,
    ).toBe(200);
  });

  test.each<Record<string, string>>([
    {},
    { authorization: 'Bearer wrong' },
    { authorization: `Basic ${token}` },
    { authorization: token },
  ])('asks %j for the token', async (headers) => {
    const answered = await call(ingress.port, '/api/v1/tenants', { headers: { host: 'api.localhost', ...headers } });
    expect(answered).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } });
    expect(events).toEqual([]);
  });

  test('is called with an event of the HTTP API, format 2.0', async () => {
    await call(ingress.port, '/api/v1/tenants/a%20b?plan=team&plan=free&q=%C3%BC', {
      method: 'POST',
      headers: {
        ...authorised,
        host: 'api.localhost:4566',
        cookie: 'a=1; b=2',
        'content-type': 'application/json',
        'X-Twice': ['1', '2'],
        'user-agent': 'tnt',
      },
      body: '{"name":"Ü"}',
    });
    expect(events).toMatchObject([
      {
        version: '2.0',
        routeKey: '$default',
        rawPath: '/api/v1/tenants/a%20b',
        rawQueryString: 'plan=team&plan=free&q=%C3%BC',
        cookies: ['a=1', 'b=2'],
        headers: { 'x-twice': '1,2', host: 'api.localhost:4566' },
        queryStringParameters: { plan: 'team,free', q: 'ü' },
        requestContext: {
          domainName: 'api.localhost',
          http: { method: 'POST', path: '/api/v1/tenants/a%20b', sourceIp: '127.0.0.1', userAgent: 'tnt' },
        },
        body: '{"name":"Ü"}',
        isBase64Encoded: false,
      },
    ]);
    expect(events[0]!.headers).not.toHaveProperty('cookie');
  });

  test('gets bytes that are no text as base64', async () => {
    await call(ingress.port, '/api/v1/x', {
      method: 'POST',
      headers: { ...authorised, 'content-type': 'application/octet-stream' },
      body: Buffer.from([0xff, 0]),
    });
    expect(events).toMatchObject([{ body: '/wA=', isBase64Encoded: true }]);
  });

  test('answers status, headers, cookies and bytes as the function says, and any other value as JSON', async () => {
    answer = () =>
      Promise.resolve({
        statusCode: 202,
        headers: { 'x-n': 7 },
        cookies: ['a=1', 'b=2'],
        body: Buffer.from('Ü').toString('base64'),
        isBase64Encoded: true,
      });
    expect(await call(ingress.port, '/api/v1/x', { headers: authorised })).toMatchObject({
      status: 202,
      headers: { 'x-n': '7', 'set-cookie': ['a=1', 'b=2'] },
      body: 'Ü',
    });
    answer = () => Promise.resolve({ plain: true });
    expect(await call(ingress.port, '/api/v1/x', { headers: authorised })).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: '{"plain":true}',
    });
  });

  test('whose function fails is a 502 with the reason', async () => {
    answer = () => Promise.reject(new Error('Task timed out after 30.00 seconds'));
    expect(await call(ingress.port, '/api/v1/x', { headers: authorised })).toMatchObject({
      status: 502,
      body: expect.stringContaining('timed out after 30'),
    });
  });

  test('refuses a body that Lambda could not take', async () => {
    expect(
      await call(ingress.port, '/api/v1/x', {
        method: 'POST',
        headers: authorised,
        body: Buffer.alloc(largestBody + 1),
      }),
    ).toMatchObject({ status: 413 });
    expect(events).toEqual([]);
  });
});

test('everything else is told where to go', async () => {
  for (const host of ['localhost', '127.0.0.1', 'console.localhost', '192.168.1.5']) {
    const answered = await call(ingress.port, '/somewhere', { headers: { host } });
    expect(answered).toMatchObject({
      status: 404,
      body: expect.stringContaining(`http://&#60;tenant&#62;.localhost:${ingress.port}/`),
    });
  }
});
