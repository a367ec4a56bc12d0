import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { runMachine } from './fleet.ts';
import type { Laptop } from './laptop.ts';
import type { BenchRow } from './row.ts';

const tenants = Array.from({ length: 200 }, (_, index) => `drill-${String(index).padStart(3, '0')}`);

/** Messages that bring a chat with its reactions, attachments, audit trail and activity to about 1 MB of rows. */
const messagesEach = 1_900;

/** As superuser and in replica mode: only the filling, never anything that is measured. */
const fill = async (client: pg.Client): Promise<void> => {
  await client.query('SET session_replication_role = replica');
  await client.query(
    `INSERT INTO users (tenant_id, email, full_name) SELECT id, 'user' || i || '@' || id, 'User ' || i FROM unnest($1::text[]) id, generate_series(1, 20) i`,
    [tenants],
  );
  await client.query(
    `INSERT INTO messages (tenant_id, stream_id, sender_id, body, sent_at)
     SELECT s.tenant_id, s.id, u.id, md5(i::text || s.tenant_id) || repeat(' some words that were said before', 4 + i % 9),
       timestamptz '2026-01-01' + i * interval '31 seconds'
     FROM streams s JOIN LATERAL (SELECT min(id) AS id FROM users WHERE tenant_id = s.tenant_id) u ON true, generate_series(1, $2::int) i
     WHERE s.tenant_id = ANY ($1)`,
    [tenants, messagesEach],
  );
  await client.query(
    `INSERT INTO reactions (tenant_id, message_id, user_id, emoji) SELECT tenant_id, id, sender_id, 'heart' FROM messages WHERE tenant_id = ANY ($1) AND id % 3 = 0`,
    [tenants],
  );
  await client.query(
    `INSERT INTO attachments (tenant_id, message_id, file_name, content)
     SELECT tenant_id, id, 'file-' || id, decode(repeat(md5(id::text), 64), 'hex') FROM messages WHERE tenant_id = ANY ($1) AND id % 40 = 0`,
    [tenants],
  );
  await client.query(
    `INSERT INTO audit_trail (tenant_id, actor_id, action, detail)
     SELECT tenant_id, sender_id, 'message.insert', jsonb_build_object('message', id) FROM messages WHERE tenant_id = ANY ($1)`,
    [tenants],
  );
  await client.query('RESET session_replication_role');
  await client.query('ANALYZE');
};

/** The registry's side of a signup: a drill asks for records alone, and a backup for an active tenant that has a place. */
const signUp = async (laptop: Laptop): Promise<void> => {
  const queue = [...tenants];
  const work = async (): Promise<void> => {
    for (let tenantId = queue.shift(); tenantId !== undefined; tenantId = queue.shift())
      await runMachine(laptop, 'provision-tenant', { tenantId, plan: 'starter' });
  };
  await Promise.all(Array.from({ length: 10 }, work));
};

const tables = ['realms', 'users', 'streams', 'messages', 'reactions', 'attachments', 'audit_trail', 'activity'];

const columnsOf = async (client: pg.Client, table: string): Promise<string> => {
  const { rows } = await client.query<{ columns: string }>(
    `SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) AS columns FROM pg_attribute
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`,
    [table],
  );
  return rows[0]!.columns;
};

interface Yardstick {
  readonly perMinute: number;
  /** COPY text of one tenant. */
  readonly bytes: number;
}

/**
 * The floor: the rows of the same tenants piped from COPY to COPY into the same tables of one empty database, all tenants of a
 * table at once, without archive, digests or foreign keys.
 */
const rawCopy = async (laptop: Laptop): Promise<Yardstick> => {
  const [admin, source] = await Promise.all([laptop.connect('postgres'), laptop.connect('pool')]);
  const { rows } = await admin.query<{ name: string }>(
    `SELECT datname AS name FROM pg_database WHERE datname LIKE 'tn\\_template%'`,
  );
  let bytes = 0;
  const started = performance.now();
  await admin.query(`CREATE DATABASE raw TEMPLATE ${rows[0]!.name}`);
  const target = await laptop.connect('raw');
  await target.query('SET session_replication_role = replica');
  for (const table of tables) {
    const columns = await columnsOf(source, table);
    const out = source.query(copyTo(`COPY (SELECT ${columns} FROM ${table} WHERE tenant_id LIKE 'drill-%') TO STDOUT`));
    out.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    await pipeline(out, target.query(copyFrom(`COPY ${table} (${columns}) FROM STDIN`)));
  }
  const took = performance.now() - started;
  await Promise.all([target.end(), source.end()]);
  await admin.query('DROP DATABASE raw WITH (FORCE)');
  await admin.end();
  return { perMinute: (tenants.length * 60_000) / took, bytes: bytes / tenants.length };
};

/** Restores the newest archive of 200 tenants of about 1 MB for trial, by the real machine. */
export const benchDrills = async (laptop: Laptop): Promise<BenchRow[]> => {
  await signUp(laptop);
  const pool = await laptop.connect('pool');
  await fill(pool);
  await pool.end();
  await runMachine(laptop, 'back-up-fleet', { tenantIds: tenants });
  const { perMinute, bytes } = await rawCopy(laptop);
  const took = await runMachine(laptop, 'drill-restores', { tenantIds: tenants });
  const value = (tenants.length * 60_000) / took;
  return [
    {
      name: 'drill.tenants_per_min',
      value,
      unit: `1/min (${tenants.length} of ${(bytes / 1e6).toFixed(2)} MB)`,
      yardstick: { name: 'raw COPY into one scratch database, nothing checked', value: perMinute, unit: '1/min' },
      goal: '>= 200',
      met: value >= 200,
    },
  ];
};
