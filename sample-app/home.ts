import { Hono } from 'hono';
import * as z from 'zod';
import { escapeHtml } from '../app-kit/pages.ts';
import { latestMessages, postMessage } from './api/messages.ts';
import { requireStream, visibleStreams } from './api/streams.ts';
import { type ChatContext, type ChatEnv, idSchema, inTenant, parse, reading, refuse } from './context.ts';
import { chatPage, stylesheet } from './page.ts';

const userOf = (context: ChatContext): string | null => {
  const { gate } = context.var.parts;
  const headers = { authorization: context.req.header('authorization'), cookie: context.req.header('cookie') };
  const access = gate.check(headers, context.var.route.tenantId);
  return 'session' in access ? access.session.userId : null;
};

const closedDoor = (organisation: string): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escapeHtml(organisation)}</title><link rel="stylesheet" href="style.css"><header><h1>${escapeHtml(organisation)}</h1></header><main><p>Sign in to read.</p></main></html>`;

/** The page that a browser shows, its form, and the demo's door. */
export const home = new Hono<ChatEnv>()
  .get('/style.css', (context) =>
    context.body(stylesheet, 200, { 'Content-Type': 'text/css; charset=utf-8', 'Cache-Control': 'max-age=300' }),
  )
  .get('/', async (context) => {
    const userId = userOf(context);
    const { openLogin } = context.var.parts;
    const html = await inTenant(
      context,
      async (sql) => {
        const [realm] = await sql.query<{ name: string }>('SELECT name FROM realms');
        const organisation = realm?.name ?? sql.tenantId;
        if (userId === null && !openLogin) return closedDoor(organisation);
        const [user] =
          userId === null
            ? []
            : await sql.query<{ name: string }>('SELECT full_name AS name FROM users WHERE id = $1', [userId]);
        const [count] = await sql.query<{ people: number }>('SELECT count(*)::int AS people FROM users');
        const streams = await visibleStreams(sql, userId);
        const wanted = context.req.query('stream') ?? 'general';
        const current = streams.find(({ name }) => name === wanted) ?? streams[0];
        const messages = current ? await latestMessages(sql, current.id, '999999999999999999', 30) : [];
        const emoji = await sql.query<{ code: string; glyph: string }>('SELECT code, glyph FROM emoji_catalogue');
        return chatPage({
          tenantId: sql.tenantId,
          organisation,
          user: user?.name ?? null,
          openLogin,
          people: count?.people ?? 0,
          streams,
          current,
          messages,
          glyphs: Object.fromEntries(emoji.map(({ code, glyph }) => [code, glyph])),
        });
      },
      reading,
    );
    return context.html(html);
  })
  .post('/say', async (context) => {
    const senderId = userOf(context);
    if (senderId === null) throw refuse(401, 'not_signed_in', 'Sign in first.');
    const form = parse(
      z.object({ stream: idSchema, body: z.string().trim().min(1).max(10_000) }),
      await context.req.parseBody(),
    );
    const stream = await inTenant(context, async (sql) => {
      await requireStream(sql, form.stream, senderId);
      await postMessage(sql, { streamId: form.stream, senderId, body: form.body });
      const [row] = await sql.query<{ name: string }>('SELECT name FROM streams WHERE id = $1', [form.stream]);
      return row?.name ?? 'general';
    });
    return context.redirect(`./?stream=${encodeURIComponent(stream)}`, 303);
  })
  .get('/login', async (context) => {
    const { gate, openLogin } = context.var.parts;
    if (!openLogin)
      throw refuse(
        404,
        'not_found',
        'Sign in through your identity provider. (SAMPLE_APP_OPEN_LOGIN=1 opens this door for a demo.)',
      );
    const email = parse(z.email(), context.req.query('email')).toLowerCase();
    const [user] = await inTenant(
      context,
      (sql) => sql.query<{ id: string }>('SELECT id FROM users WHERE lower(email) = $1 AND active', [email]),
      reading,
    );
    if (!user) throw refuse(403, 'unknown_user', `Nobody here has the address ${email}.`);
    const token = gate.issue({ tenantId: context.var.route.tenantId, userId: user.id });
    context.header('Set-Cookie', gate.cookie(token, { secure: new URL(context.req.url).protocol === 'https:' }));
    if (context.req.header('accept')?.includes('application/json')) return context.json({ token, userId: user.id });
    return context.redirect('./', 303);
  });
