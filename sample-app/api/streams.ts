import { Hono } from 'hono';
import * as z from 'zod';
import type { TenantSql } from '../../app-kit/transaction.ts';
import { body, type ChatEnv, idSchema, inTenant, parse, reading, refuse } from '../context.ts';

export interface Stream {
  readonly id: string;
  readonly name: string;
  readonly visibility: 'public' | 'private';
  readonly messages: string;
  readonly lastMessageAt: Date | null;
}

/** The streams that a user may see: public ones, and private ones that the user follows; `null` is a visitor. */
export const visibleStreams = (sql: TenantSql, userId: string | null): Promise<Stream[]> =>
  sql.query<Stream>(
    `SELECT s.id, s.name, s.visibility, m.messages, m.last_message_at AS "lastMessageAt"
     FROM streams s JOIN stream_summary m ON m.tenant_id = s.tenant_id AND m.id = s.id
     WHERE s.visibility = 'public' OR EXISTS (SELECT FROM subscriptions f WHERE f.tenant_id = s.tenant_id AND f.stream_id = s.id AND f.user_id = $1)
     ORDER BY s.name`,
    [userId],
  );

/** Throws 404 when the user may not see the stream: that a private one exists is nobody's business. */
export const requireStream = async (sql: TenantSql, streamId: string, userId: string): Promise<void> => {
  const found = await sql.query(
    `SELECT FROM streams s WHERE s.id = $1 AND (s.visibility = 'public'
       OR EXISTS (SELECT FROM subscriptions f WHERE f.tenant_id = s.tenant_id AND f.stream_id = s.id AND f.user_id = $2))`,
    [streamId, userId],
  );
  if (found.length === 0) throw refuse(404, 'stream_not_found', `There is no stream ${streamId}.`);
};

export const streams = new Hono<ChatEnv>()
  .get('/', async (context) =>
    context.json({ items: await inTenant(context, (sql) => visibleStreams(sql, context.var.session.userId), reading) }),
  )
  .post('/', async (context) => {
    const wanted = await body(
      context,
      z.object({ name: z.string().trim().min(1).max(60), visibility: z.enum(['public', 'private']).default('public') }),
    );
    const { userId } = context.var.session;
    const stream = await inTenant(context, async (sql) => {
      const [made] = await sql.query<{ id: string; name: string; visibility: string }>(
        'INSERT INTO streams (tenant_id, name, visibility, created_by) VALUES ($1, $2, $3, $4) RETURNING id, name, visibility',
        [sql.tenantId, wanted.name, wanted.visibility, userId],
      );
      await sql.query('INSERT INTO subscriptions (tenant_id, stream_id, user_id) VALUES ($1, $2, $3)', [
        sql.tenantId,
        made!.id,
        userId,
      ]);
      return made;
    });
    return context.json(stream, 201);
  })
  .put('/:stream/subscription', async (context) => {
    const streamId = parse(idSchema, context.req.param('stream'));
    const { userId } = context.var.session;
    await inTenant(context, async (sql) => {
      await requireStream(sql, streamId, userId);
      await sql.query(
        'INSERT INTO subscriptions (tenant_id, stream_id, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
        [sql.tenantId, streamId, userId],
      );
    });
    return context.body(null, 204);
  });
