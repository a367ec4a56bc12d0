import { Hono } from 'hono';
import { type ChatEnv, inTenant, page, paged, reading } from '../context.ts';

/** What happened lately, newest first. */
export const activity = new Hono<ChatEnv>().get('/', async (context) => {
  const { limit, before } = page(context);
  const rows = await inTenant(
    context,
    (sql) =>
      sql.query<{ id: string; kind: string; subject: string; happenedOn: string }>(
        `SELECT id, kind, subject, happened_on::text AS "happenedOn" FROM activity WHERE id < $1 ORDER BY id DESC LIMIT $2`,
        [before, limit + 1],
      ),
    reading,
  );
  return context.json(paged(rows, limit));
});
