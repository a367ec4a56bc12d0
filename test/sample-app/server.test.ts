import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestChat, type TestChat } from './chat.ts';
import { type GeneralStream, json, openGeneral } from './general-stream.ts';

let chat: TestChat;
let general: string;
let post: GeneralStream['post'];

beforeAll(async () => {
  chat = await openTestChat();
  ({ general, post } = await openGeneral(chat));
});

afterAll(() => chat.stop());

describe('a neighbour', () => {
  test('is refused at acme with a session of globex, however valid', async () => {
    const token = chat.gate.issue({ tenantId: 'globex', userId: '1' });
    const answer = await chat.chat.request('/api/me', {
      headers: { host: 'acme.localhost', authorization: `Bearer ${token}` },
    });
    expect(await json(answer, 403)).toMatchObject({ code: 'other_tenant' });
    const cookie = await chat.chat.request('/api/streams', {
      headers: { host: 'acme.localhost', cookie: `session=${token}` },
    });
    expect(cookie.status).toBe(403);
  });

  test('does not reach a message, a stream or a file of acme by its id', async () => {
    const id = await post('acme only');
    const file = await json<{ id: string }>(
      await chat.call('acme', 'POST', `/api/messages/${id}/attachments?name=plan`, { bytes: new Uint8Array(3) }),
      201,
    );
    expect((await chat.call('globex', 'GET', `/api/attachments/${file.id}`)).status).toBe(404);
    expect((await chat.call('globex', 'PATCH', `/api/messages/${id}`, { json: { body: 'x' } })).status).toBe(404);
    expect((await chat.call('globex', 'DELETE', `/api/messages/${id}`)).status).toBe(404);
    expect((await chat.call('globex', 'GET', `/api/streams/${general}/messages`)).status).toBe(404);
    expect(
      (await chat.call('globex', 'POST', `/api/streams/${general}/messages`, { json: { body: 'x' } })).status,
    ).toBe(404);
  });
});

describe('the doors', () => {
  test('nobody reads the API without a session', async () => {
    for (const path of ['/api/me', '/api/users', '/api/streams', '/api/activity'])
      expect((await chat.call('acme', 'GET', path, { as: null })).status).toBe(401);
  });

  test('the open login is shut unless the demo opens it, and then knows users only', async () => {
    const login = (server: typeof chat.chat, email: string) =>
      server.request(`/login?email=${email}`, { headers: { host: 'acme.localhost' } });
    expect((await login(chat.closed, 'owner@acme.example')).status).toBe(404);
    expect((await login(chat.chat, 'stranger@acme.example')).status).toBe(403);
    const answer = await login(chat.chat, 'owner@acme.example');
    expect(answer.status).toBe(303);
    expect(answer.headers.get('set-cookie')).toMatch(/^session=.*HttpOnly; SameSite=Lax$/);
  });

  test('a form on another site cannot write with the cookie of this one', async () => {
    const answer = await chat.call('acme', 'POST', `/api/streams/${general}/messages`, {
      json: { body: 'forged' },
      headers: { 'sec-fetch-site': 'cross-site' },
    });
    expect(await json(answer, 403)).toMatchObject({ code: 'cross_site' });
  });

  test('an unknown host is a page of 404, a suspended tenant one of 503 with Retry-After', async () => {
    const unknown = await chat.chat.request('/', { headers: { host: 'nobody.localhost' } });
    expect(unknown.status).toBe(404);
    expect(await unknown.text()).toContain('nobody.localhost');
    await chat.world.addTenant('initech', 0);
    await chat.world.control.query("UPDATE routes SET state = 'off' WHERE tenant_id = 'initech'");
    const suspended = await chat.chat.request('/', { headers: { host: 'initech.localhost' } });
    expect(suspended.status).toBe(503);
    expect(suspended.headers.get('retry-after')).toBe('60');
    const api = await chat.chat.request('/api/me', { headers: { host: 'initech.localhost' } });
    expect(await json(api, 503)).toMatchObject({ code: 'tenant_unavailable' });
  });

  test('health needs no tenant', async () => {
    expect(await (await chat.chat.request('/healthz')).text()).toBe('ok');
  });
});

describe('the page', () => {
  test('shows the tenant, its streams and its latest messages, and nothing of a neighbour', async () => {
    await post('**bold** words of acme');
    const acme = await (await chat.chat.request('/', { headers: { host: 'acme.localhost' } })).text();
    expect(acme).toContain('<h1>acme</h1>');
    expect(acme).toContain('# general');
    expect(acme).toContain('words of acme');
    const globex = await (await chat.chat.request('/', { headers: { host: 'globex.localhost' } })).text();
    expect(globex).toContain('<h1>globex</h1>');
    expect(globex).not.toContain('words of acme');
  });

  test('escapes what people write and loads nothing from elsewhere', async () => {
    await post('<img src=x onerror=alert(1)>');
    const answer = await chat.chat.request('/', { headers: { host: 'acme.localhost' } });
    const html = await answer.text();
    expect(html).not.toContain('<img');
    expect(html).toContain('&#60;img src=x');
    expect(answer.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'self'; form-action 'self'/,
    );
    expect(
      [...html.matchAll(/(?:src|href|action)="([^"]*)"/g)]
        .map(([, target]) => target)
        .filter((target) => /^(\/|[a-z]+:)/.test(target!)),
    ).toEqual([]);
  });

  test('takes a message of a signed-in user by its form', async () => {
    const token = chat.gate.issue({
      tenantId: 'acme',
      userId: (await json<{ id: string }>(await chat.call('acme', 'GET', '/api/me'))).id,
    });
    const headers = {
      host: 'acme.localhost',
      cookie: `session=${token}`,
      'content-type': 'application/x-www-form-urlencoded',
    };
    const said = await chat.chat.request('/say', { method: 'POST', headers, body: `stream=${general}&body=by+form` });
    expect(said.status).toBe(303);
    expect(await (await chat.chat.request('/', { headers })).text()).toContain('by form');
    expect(
      (
        await chat.chat.request('/say', {
          method: 'POST',
          headers: { ...headers, cookie: '' },
          body: `stream=${general}&body=x`,
        })
      ).status,
    ).toBe(401);
  });

  test('of a chat with a shut door shows a visitor the name alone', async () => {
    const html = await (await chat.closed.request('/', { headers: { host: 'acme.localhost' } })).text();
    expect(html).toContain('Sign in to read.');
    expect(html).not.toContain('general');
  });
});
