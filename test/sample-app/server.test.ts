import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestChat, type TestChat } from './chat.ts';

let chat: TestChat;
let general: string;

const json = async <T = Record<string, unknown>>(response: Response, status = 200): Promise<T> => {
  const text = await response.text();
  expect({ status: response.status, text }).toEqual({ status, text });
  return JSON.parse(text) as T;
};

interface Listed {
  readonly items: { id: string; name: string; body: string; sender: string }[];
  readonly next: string | null;
}

beforeAll(async () => {
  chat = await openTestChat();
  const { items } = await json<Listed>(await chat.call('acme', 'GET', '/api/streams'));
  general = items.find(({ name }) => name === 'general')!.id;
});

afterAll(() => chat.stop());

const post = async (body: string, more: Record<string, unknown> = {}): Promise<string> =>
  (
    await json<{ id: string }>(
      await chat.call('acme', 'POST', `/api/streams/${general}/messages`, { json: { body, ...more } }),
      201,
    )
  ).id;

describe('people', () => {
  test('I am told who I am and where', async () => {
    expect(await json(await chat.call('acme', 'GET', '/api/me'))).toMatchObject({
      email: 'owner@acme.example',
      tenantId: 'acme',
      organisation: 'acme',
    });
  });

  test('an invited user can sign in, an address is taken once', async () => {
    const invited = { email: 'Bea@acme.example', fullName: 'Bea Brandt' };
    expect(await json(await chat.call('acme', 'POST', '/api/users', { json: invited }), 201)).toMatchObject({
      email: 'bea@acme.example',
    });
    expect(await json(await chat.call('acme', 'GET', '/api/me', { as: 'bea@acme.example' }))).toMatchObject({
      fullName: 'Bea Brandt',
    });
    expect(await json(await chat.call('acme', 'POST', '/api/users', { json: invited }), 409)).toMatchObject({
      code: 'exists_already',
    });
    expect(await json(await chat.call('globex', 'POST', '/api/users', { json: invited }), 201)).toMatchObject({
      email: 'bea@acme.example',
    });
  });

  test('a body of the wrong form is refused with the field', async () => {
    expect(
      await json(await chat.call('acme', 'POST', '/api/users', { json: { email: 'nobody', fullName: 'x' } }), 400),
    ).toMatchObject({ detail: expect.stringContaining('email') });
    const broken = await chat.call('acme', 'POST', '/api/users', {
      bytes: new TextEncoder().encode('{'),
      headers: { 'content-type': 'application/json' },
    });
    expect(broken.status).toBe(400);
  });
});

describe('messages', () => {
  test('are posted, edited, answered and deleted by their sender', async () => {
    const id = await post('hello');
    const answer = await post('hello yourself', { replyTo: id });
    expect((await chat.call('acme', 'PATCH', `/api/messages/${id}`, { json: { body: 'good morning' } })).status).toBe(
      204,
    );
    const { items } = await json<Listed>(await chat.call('acme', 'GET', `/api/streams/${general}/messages?limit=2`));
    expect(items.map(({ id: one, body }) => ({ id: one, body }))).toEqual([
      { id: answer, body: 'hello yourself' },
      { id, body: 'good morning' },
    ]);
    expect(items[0]).toMatchObject({ replyTo: id, sender: 'Owner' });
    expect(await json(await chat.call('acme', 'DELETE', `/api/messages/${id}`), 409)).toMatchObject({
      code: 'still_referenced',
    });
    expect((await chat.call('acme', 'DELETE', `/api/messages/${answer}`)).status).toBe(204);
    expect((await chat.call('acme', 'DELETE', `/api/messages/${id}`)).status).toBe(204);
    expect((await chat.call('acme', 'DELETE', `/api/messages/${id}`)).status).toBe(404);
  });

  test('are nobody else to change', async () => {
    const id = await post('mine');
    expect(
      (await chat.call('acme', 'PATCH', `/api/messages/${id}`, { as: 'bea@acme.example', json: { body: 'yours' } }))
        .status,
    ).toBe(403);
    expect((await chat.call('acme', 'DELETE', `/api/messages/${id}`, { as: 'bea@acme.example' })).status).toBe(403);
  });

  test('come in pages without gaps or repetitions', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 7; i += 1) ids.push(await post(`page ${i}`));
    const seen: string[] = [];
    for (let before = ''; ; ) {
      const page = await json<Listed>(
        await chat.call('acme', 'GET', `/api/streams/${general}/messages?limit=3${before}`),
      );
      seen.push(...page.items.map(({ id }) => id));
      if (page.next === null) break;
      before = `&before=${page.next}`;
    }
    expect(seen.slice(0, 7)).toEqual(ids.toReversed());
    expect(new Set(seen).size).toBe(seen.length);
  });

  test('carry reactions of the catalogue, one per person and kind', async () => {
    const id = await post('react to me');
    for (const as of ['owner@acme.example', 'bea@acme.example', 'bea@acme.example'])
      expect((await chat.call('acme', 'PUT', `/api/messages/${id}/reactions/tada`, { as })).status).toBe(204);
    const read = async () =>
      (await json<Listed>(await chat.call('acme', 'GET', `/api/streams/${general}/messages?limit=1`))).items[0];
    expect(await read()).toMatchObject({ reactions: { tada: 2 } });
    await chat.call('acme', 'DELETE', `/api/messages/${id}/reactions/tada`);
    expect(await read()).toMatchObject({ reactions: { tada: 1 } });
    expect((await chat.call('acme', 'PUT', `/api/messages/${id}/reactions/unheard-of`)).status).toBe(409);
  });

  test('carry files that come back byte by byte and never as a page', async () => {
    const id = await post('see attached');
    const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i % 256);
    const made = await json<{ id: string }>(
      await chat.call('acme', 'POST', `/api/messages/${id}/attachments?name=%C3%BCber.html`, { bytes }),
      201,
    );
    const back = await chat.call('acme', 'GET', `/api/attachments/${made.id}`);
    expect(new Uint8Array(await back.arrayBuffer())).toEqual(bytes);
    expect(back.headers.get('content-type')).toBe('application/octet-stream');
    expect(back.headers.get('content-disposition')).toBe("attachment; filename*=UTF-8''%C3%BCber.html");
    expect(back.headers.get('x-content-type-options')).toBe('nosniff');
    expect((await chat.call('acme', 'POST', `/api/messages/${id}/attachments?name=..%2Fetc`, { bytes })).status).toBe(
      400,
    );
    expect(
      (
        await chat.call('acme', 'POST', `/api/messages/${id}/attachments?name=big`, {
          bytes: new Uint8Array(9 * 1024 * 1024),
        })
      ).status,
    ).toBe(413);
  });

  test('leave a line in the activity feed', async () => {
    await post('remember me');
    const { items } = await json<Listed>(await chat.call('acme', 'GET', '/api/activity?limit=1'));
    expect(items).toMatchObject([{ kind: 'message.posted', subject: 'general' }]);
  });
});

describe('a private stream', () => {
  test('does not exist for those who do not follow it', async () => {
    const stream = await json<{ id: string }>(
      await chat.call('acme', 'POST', '/api/streams', { json: { name: 'board', visibility: 'private' } }),
      201,
    );
    const said = await json<{ id: string }>(
      await chat.call('acme', 'POST', `/api/streams/${stream.id}/messages`, { json: { body: 'hush' } }),
      201,
    );
    const stranger = { as: 'bea@acme.example' };
    expect((await chat.call('acme', 'GET', `/api/streams/${stream.id}/messages`, stranger)).status).toBe(404);
    expect((await chat.call('acme', 'PUT', `/api/streams/${stream.id}/subscription`, stranger)).status).toBe(404);
    expect((await chat.call('acme', 'PUT', `/api/messages/${said.id}/reactions/tada`, stranger)).status).toBe(404);
    const { items } = await json<Listed>(await chat.call('acme', 'GET', '/api/streams', stranger));
    expect(items.map(({ name }) => name)).not.toContain('board');
    expect(await (await chat.chat.request('/', { headers: { host: 'acme.localhost' } })).text()).not.toContain('board');
  });
});

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
