import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import * as z from 'zod';
import { type ChatEnv, idSchema, inTenant, parse, reading, refuse } from '../context.ts';
import { requireMessage } from './messages.ts';

const megabytes = 8;

const fileName = z
  .string()
  .trim()
  .min(1)
  .max(255)
  .regex(/^[^/\\\p{Cc}]+$/u, 'must be a file name without slashes');

/** Files of messages: bytes in, the same bytes out. */
export const attachments = new Hono<ChatEnv>()
  .post(
    '/messages/:message/attachments',
    bodyLimit({
      maxSize: megabytes * 1024 * 1024,
      onError: () => {
        throw refuse(413, 'too_large', `An attachment may have ${megabytes} MiB.`);
      },
    }),
    async (context) => {
      const messageId = parse(idSchema, context.req.param('message'));
      const name = parse(fileName, context.req.query('name'));
      const content = Buffer.from(await context.req.arrayBuffer());
      const { userId } = context.var.session;
      const made = await inTenant(context, async (sql) => {
        const { senderId } = await requireMessage(sql, messageId, userId);
        if (senderId !== userId) throw refuse(403, 'not_yours', 'Only the sender may attach files to a message.');
        const [row] = await sql.query<{ id: string }>(
          'INSERT INTO attachments (tenant_id, message_id, file_name, content) VALUES ($1, $2, $3, $4) RETURNING id',
          [sql.tenantId, messageId, name, content],
        );
        return row;
      });
      return context.json({ ...made, fileName: name, bytes: content.length }, 201);
    },
  )
  .get('/attachments/:attachment', async (context) => {
    const id = parse(z.uuid(), context.req.param('attachment'));
    const { userId } = context.var.session;
    const found = await inTenant(
      context,
      async (sql) => {
        const [row] = await sql.query<{ messageId: string; fileName: string; content: Buffer }>(
          'SELECT message_id AS "messageId", file_name AS "fileName", content FROM attachments WHERE id = $1',
          [id],
        );
        if (!row) throw refuse(404, 'attachment_not_found', `There is no attachment ${id}.`);
        await requireMessage(sql, row.messageId, userId);
        return row;
      },
      reading,
    );
    return context.body(new Uint8Array(found.content), 200, {
      // Never shown in the page's own origin, whatever the bytes are.
      'Content-Type': 'application/octet-stream',
      'Content-Disposition': `attachment; filename*=UTF-8''${encodeURIComponent(found.fileName)}`,
    });
  });
