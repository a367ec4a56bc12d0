import { describe, expect, test } from 'vitest';
import { largestBody } from '../../../local/ingress/http-api.ts';
import { call } from './http.ts';
import { authorised, behind, ingress, token } from './laptop-ingress.ts';

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
      behind.serveApp = (_, response) => {
        reached = true;
        response.end();
      };
      expect(await call(ingress.port, '/api/v1/tenants', { headers: { ...authorised, host } })).toMatchObject({
        status: 421,
      });
      expect({ events: behind.events, reached }).toEqual({ events: [], reached: false });
    },
  );

  test.each(['cross-site', 'same-site'])('refuses a page that is %s, token or not', async (site) => {
    const answered = await call(ingress.port, '/api/v1/tenants', {
      method: 'POST',
      headers: { ...authorised, 'sec-fetch-site': site },
    });
    expect(answered).toMatchObject({ status: 403, headers: { 'content-type': 'application/problem+json' } });
    expect(behind.events).toEqual([]);
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
    expect(behind.events).toEqual([]);
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
    expect(behind.events).toMatchObject([
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
    expect(behind.events[0]!.headers).not.toHaveProperty('cookie');
  });

  test('gets bytes that are no text as base64', async () => {
    await call(ingress.port, '/api/v1/x', {
      method: 'POST',
      headers: { ...authorised, 'content-type': 'application/octet-stream' },
      body: Buffer.from([0xff, 0]),
    });
    expect(behind.events).toMatchObject([{ body: '/wA=', isBase64Encoded: true }]);
  });

  test('answers status, headers, cookies and bytes as the function says, and any other value as JSON', async () => {
    behind.answer = () =>
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
    behind.answer = () => Promise.resolve({ plain: true });
    expect(await call(ingress.port, '/api/v1/x', { headers: authorised })).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: '{"plain":true}',
    });
  });

  test('whose function fails is a 502 with the reason', async () => {
    behind.answer = () => Promise.reject(new Error('Task timed out after 30.00 seconds'));
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
    expect(behind.events).toEqual([]);
  });
});
