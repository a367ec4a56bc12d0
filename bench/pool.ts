import type pg from 'pg';
import type { Laptop } from './laptop.ts';

/**
 * Fills the pool with chats of very different sizes: the tenant of rank r gets 1/r of the largest one's messages (Zipf), which
 * leaves most of them small. As superuser and in replica mode: only the filling, never anything that is measured.
 */
export const fillPool = async (
  client: pg.Client,
  tenants: readonly string[],
  messages: number,
): Promise<{ bytes: number }> => {
  const harmonic = tenants.reduce((sum, _, index) => sum + 1 / (index + 1), 0);
  await client.query('SET session_replication_role = replica');
  await client.query('CREATE TEMP TABLE load (tenant_id text, rank int, messages int)');
  await client.query(
    `INSERT INTO load SELECT id, rank, greatest(5, ($2::float8 / ($3::float8 * rank))::int) FROM unnest($1::text[]) WITH ORDINALITY AS t (id, rank)`,
    [tenants, messages, harmonic],
  );
  await client.query(`
    INSERT INTO users (tenant_id, email, full_name)
    SELECT l.tenant_id, 'user' || i || '@' || l.tenant_id, 'User ' || i
    FROM load l, generate_series(1, 5 + l.messages / 200) AS i`);
  await client.query(`
    INSERT INTO messages (tenant_id, stream_id, sender_id, body, sent_at)
    SELECT l.tenant_id, s.id, u.id, md5(i::text || l.tenant_id) || repeat(' some words that were said before', 4 + i % 9),
           timestamptz '2026-01-01' + i * interval '31 seconds'
    FROM load l
    CROSS JOIN LATERAL (SELECT min(id) AS id FROM streams WHERE tenant_id = l.tenant_id) s
    CROSS JOIN LATERAL (SELECT min(id) AS id FROM users WHERE tenant_id = l.tenant_id) u
    CROSS JOIN LATERAL generate_series(1, l.messages) AS i`);
  await client.query(`
    INSERT INTO reactions (tenant_id, message_id, user_id, emoji)
    SELECT tenant_id, id, sender_id, 'heart' FROM messages WHERE id % 3 = 0`);
  await client.query(`
    INSERT INTO attachments (tenant_id, message_id, file_name, content)
    SELECT tenant_id, id, 'file-' || id, decode(repeat(md5(id::text), 64), 'hex') FROM messages WHERE id % 40 = 0`);
  await client.query(`
    INSERT INTO audit_trail (tenant_id, actor_id, action, detail)
    SELECT tenant_id, sender_id, 'message.insert', jsonb_build_object('message', id) FROM messages`);
  await client.query(`
    INSERT INTO activity (tenant_id, kind, subject, happened_on)
    SELECT tenant_id, 'posted', 'message ' || id, sent_at::date FROM messages WHERE id % 2 = 0`);
  await client.query('RESET session_replication_role');
  await client.query('VACUUM ANALYZE');
  const { rows } = await client.query<{ bytes: string }>('SELECT pg_database_size(current_database()) AS bytes');
  return { bytes: Number(rows[0]!.bytes) };
};

/**
 * Makes tenants active in the pool of `local-1`, thousands in a second: their records by SQL, their first rows by the app's
 * own hook. Only for what is measured after it.
 */
export const addTenants = async (laptop: Laptop, tenants: readonly string[]): Promise<void> => {
  const control = await laptop.connect('control');
  await control.query(
    `INSERT INTO tenants (id, status, plan, tier, isolation, claimed_by, changed_by)
     SELECT id, 'active', 'starter', 'shared', 'pooled', 'bench', 'bench' FROM unnest($1::text[]) id`,
    [tenants],
  );
  await control.query(
    `INSERT INTO placements (id, tenant_id, cell_id, tier, isolation, placed_by)
     SELECT 'p-' || left(md5(id), 12), id, 'local-1', 'shared', 'pooled', 'bench' FROM unnest($1::text[]) id`,
    [tenants],
  );
  await control.end();
  const pool = await laptop.connect('pool');
  await pool.query('SET session_replication_role = replica');
  await pool.query('INSERT INTO tenantry.tenants (tenant_id, fence) SELECT id, 1 FROM unnest($1::text[]) id', [
    tenants,
  ]);
  await pool.query(`SELECT public.tenant_created(id, jsonb_build_object('name', id)) FROM unnest($1::text[]) id`, [
    tenants,
  ]);
  await pool.end();
};
