import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestChat, type TestChat } from './chat.ts';
import { type GeneralStream, json, type Listed, openGeneral } from './general-stream.ts';

let chat: TestChat;
let general: string;
let post: GeneralStream['post'];

beforeAll(async () => {
  chat = await openTestChat();
  ({ general, post } = await openGeneral(chat));
});

afterAll(() => chat.stop());

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
