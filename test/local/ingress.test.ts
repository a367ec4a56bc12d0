import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { call, listen } from './ingress/http.ts';
import { behind, ingress } from './ingress/laptop-ingress.ts';

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
    expect(behind.events).toEqual([]);
  });

  test('answers while the app still sends, in both directions', async () => {
    let finish = (): void => undefined;
    behind.serveApp = (incoming, response) => {
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
      behind.serveApp = (_, response) => {
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
    behind.serveApp = (_, response) => {
      // Chunked: without a length, only the end of the stream tells whole from half.
      response.write('half', () => response.destroy());
    };
    await expect(call(ingress.port, '/', { headers: { host: 'acme.localhost' } })).rejects.toThrow();
  });

  test('of an app that is down is a page of 502 that names the cause', async () => {
    behind.appPort = undefined;
    expect(await call(ingress.port, '/', { headers: { host: 'acme.localhost' } })).toMatchObject({
      status: 502,
      body: expect.stringContaining('it is not running'),
    });
    behind.appPort = behind.app.port;
    await behind.app.close();
    const refused = await call(ingress.port, '/', {
      method: 'POST',
      body: 'x'.repeat(100_000),
      headers: { host: 'acme.localhost' },
    });
    expect(refused).toMatchObject({
      status: 502,
      headers: { 'retry-after': '1' },
      body: expect.stringContaining(`ECONNREFUSED on 127.0.0.1:${behind.appPort}`),
    });
    behind.app = await listen((incoming, response) => behind.serveApp(incoming, response));
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

test('everything else is told where to go', async () => {
  for (const host of ['localhost', '127.0.0.1', 'console.localhost', '192.168.1.5']) {
    const answered = await call(ingress.port, '/somewhere', { headers: { host } });
    expect(answered).toMatchObject({
      status: 404,
      body: expect.stringContaining(`http://&#60;tenant&#62;.localhost:${ingress.port}/`),
    });
  }
});
