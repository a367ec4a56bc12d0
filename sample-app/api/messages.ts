import { Hono } from 'hono';
import * as z from 'zod';
import type { TenantSql } from '../../app-kit/transaction.ts';
import {
  body,
  type ChatContext,
  type ChatEnv,
  idSchema,
  inTenant,
  page,
  paged,
  parse,
  reading,
  refuse,
} from '../context.ts';
import { requireStream } from './streams.ts';

export interface Message {
  readonly id: string;
  readonly sender: string;
  readonly senderId: string;
  readonly replyTo: string | null;
  readonly body: string;
  readonly sentAt: Date;
  readonly reactions: Readonly<Record<string, number>>;
  readonly attachments: readonly { id: string; fileName: string; bytes: number }[];
}

/** The newest messages of a stream below an id, newest first. */
export const latestMessages = (sql: TenantSql, streamId: string, before: string, limit: number): Promise<Message[]> =>
  sql.query<Message>(
    `SELECT m.id, u.full_name AS sender, m.sender_id AS "senderId", m.reply_to AS "replyTo", m.body, m.sent_at AS "sentAt",
       coalesce((SELECT jsonb_object_agg(r.emoji, r.n) FROM (SELECT emoji, count(*) AS n FROM reactions
         WHERE tenant_id = m.tenant_id AND message_id = m.id GROUP BY emoji) r), '{}') AS reactions,
       coalesce((SELECT jsonb_agg(jsonb_build_object('id', a.id, 'fileName', a.file_name, 'bytes', length(a.content)) ORDER BY a.file_name, a.id)
         FROM attachments a WHERE a.tenant_id = m.tenant_id AND a.message_id = m.id), '[]') AS attachments
     FROM messages m JOIN users u ON u.tenant_id = m.tenant_id AND u.id = m.sender_id
     WHERE m.stream_id = $1 AND m.id < $2 ORDER BY m.id DESC LIMIT $3`,
    [streamId, before, limit],
  );

const text = z.string().trim().min(1).max(10_000);

const draft = z.object({ body: text, replyTo: idSchema.optional() });

/** Stores a message and its line in the activity feed. */
export const postMessage = async (
  sql: TenantSql,
  message: { streamId: string; senderId: string; body: string; replyTo?: string | undefined },
) => {
  const [made] = await sql.query<{ id: string; sentAt: Date }>(
    'INSERT INTO messages (tenant_id, stream_id, sender_id, reply_to, body) VALUES ($1, $2, $3, $4, $5) RETURNING id, sent_at AS "sentAt"',
    [sql.tenantId, message.streamId, message.senderId, message.replyTo ?? null, message.body],
  );
  await sql.query(
    `INSERT INTO activity (tenant_id, kind, subject, happened_on) SELECT $1, 'message.posted', s.name, current_date FROM streams s WHERE s.id = $2`,
    [sql.tenantId, message.streamId],
  );
  return made!;
};

/** The stream of a message that the user may see; throws 404 otherwise. */
export const requireMessage = async (
  sql: TenantSql,
  messageId: string,
  userId: string,
): Promise<{ senderId: string }> => {
  const [found] = await sql.query<{ streamId: string; senderId: string }>(
    'SELECT stream_id AS "streamId", sender_id AS "senderId" FROM messages WHERE id = $1',
    [messageId],
  );
  if (!found) throw refuse(404, 'message_not_found', `There is no message ${messageId}.`);
  await requireStream(sql, found.streamId, userId);
  return found;
};

const ownMessage = async (context: ChatContext, work: (sql: TenantSql, messageId: string) => Promise<unknown>) => {
  const messageId = parse(idSchema, context.req.param('message'));
  const { userId } = context.var.session;
  await inTenant(context, async (sql) => {
    const { senderId } = await requireMessage(sql, messageId, userId);
    if (senderId !== userId) throw refuse(403, 'not_yours', 'Only the sender may change a message.');
    await work(sql, messageId);
  });
  return context.body(null, 204);
};

export const streamMessages = new Hono<ChatEnv>()
  .get('/:stream/messages', async (context) => {
    const streamId = parse(idSchema, context.req.param('stream'));
    const { limit, before } = page(context);
    const rows = await inTenant(
      context,
      async (sql) => {
        await requireStream(sql, streamId, context.var.session.userId);
        return latestMessages(sql, streamId, before, limit + 1);
      },
      reading,
    );
    return context.json(paged(rows, limit));
  })
  .post('/:stream/messages', async (context) => {
    const streamId = parse(idSchema, context.req.param('stream'));
    const message = await body(context, draft);
    const senderId = context.var.session.userId;
    const made = await inTenant(context, async (sql) => {
      await requireStream(sql, streamId, senderId);
      return postMessage(sql, { streamId, senderId, ...message });
    });
    return context.json(made, 201);
  });

export const messages = new Hono<ChatEnv>()
  .patch('/:message', async (context) => {
    const { body: changed } = await body(context, z.object({ body: text }));
    return ownMessage(context, (sql, id) => sql.query('UPDATE messages SET body = $2 WHERE id = $1', [id, changed]));
  })
  .delete('/:message', (context) =>
    ownMessage(context, (sql, id) => sql.query('DELETE FROM messages WHERE id = $1', [id])),
  )
  .put('/:message/reactions/:emoji', async (context) => {
    const messageId = parse(idSchema, context.req.param('message'));
    const { userId } = context.var.session;
    await inTenant(context, async (sql) => {
      await requireMessage(sql, messageId, userId);
      await sql.query(
        'INSERT INTO reactions (tenant_id, message_id, user_id, emoji) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
        [sql.tenantId, messageId, userId, context.req.param('emoji')],
      );
    });
    return context.body(null, 204);
  })
  .delete('/:message/reactions/:emoji', async (context) => {
    const messageId = parse(idSchema, context.req.param('message'));
    await inTenant(context, (sql) =>
      sql.query('DELETE FROM reactions WHERE message_id = $1 AND user_id = $2 AND emoji = $3', [
        messageId,
        context.var.session.userId,
        context.req.param('emoji'),
      ]),
    );
    return context.body(null, 204);
  });
