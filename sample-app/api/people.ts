import { Hono } from 'hono';
import * as z from 'zod';
import { body, type ChatEnv, inTenant, page, paged, reading, refuse } from '../context.ts';

interface Person {
  readonly id: string;
  readonly email: string;
  readonly fullName: string;
  readonly active: boolean;
}

const columns = 'id, email, full_name AS "fullName", active';

/** Who I am, who else is here, inviting. */
export const people = new Hono<ChatEnv>()
  .get('/me', async (context) => {
    const me = await inTenant(
      context,
      async (sql) => {
        const [person] = await sql.query<Person>(`SELECT ${columns} FROM users WHERE id = $1`, [
          context.var.session.userId,
        ]);
        const [realm] = await sql.query<{ name: string }>('SELECT name FROM realms');
        return person && { ...person, tenantId: sql.tenantId, organisation: realm?.name ?? sql.tenantId };
      },
      reading,
    );
    if (!me) throw refuse(401, 'unknown_user', 'This user is not here any more. Sign in again.');
    return context.json(me);
  })
  .get('/users', async (context) => {
    const { limit, before } = page(context);
    const rows = await inTenant(
      context,
      (sql) =>
        sql.query<Person>(`SELECT ${columns} FROM users WHERE id < $1 ORDER BY id DESC LIMIT $2`, [before, limit + 1]),
      reading,
    );
    return context.json(paged(rows, limit));
  })
  .post('/users', async (context) => {
    const { email, fullName } = await body(
      context,
      z.object({ email: z.email().max(254), fullName: z.string().trim().min(1).max(200) }),
    );
    const [person] = await inTenant(context, (sql) =>
      sql.query<Person>(
        `INSERT INTO users (tenant_id, email, full_name, invited_by) VALUES ($1, lower($2), $3, $4) RETURNING ${columns}`,
        [sql.tenantId, email, fullName, context.var.session.userId],
      ),
    );
    return context.json(person, 201);
  });
