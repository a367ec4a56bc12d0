import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chatTables, loadChat } from '../../sample-app/load.ts';
import { startTestCloud, type TestCloud } from '../cloud.ts';

let laptop: TestCloud;
let pool: pg.Client;
let control: pg.Client;

/** Every row without the name of its tenant, coded apart from the product's digests. */
const rowsOf = async (database: pg.Client, tenantId: string): Promise<Record<string, string>> => {
  const found: Record<string, string> = {};
  for (const table of chatTables) {
    const { rows } = await database.query<{ text: string }>(
      `SELECT coalesce(string_agg(row, E'\n' ORDER BY row COLLATE "C"), '') AS text
       FROM (SELECT (to_jsonb(t) - 'tenant_id')::text AS row FROM ${table} t WHERE tenant_id = $1) rows`,
      [tenantId],
    );
    found[table] = rows[0]!.text;
  }
  return found;
};

interface Placed {
  readonly isolation: string;
  readonly database: string | null;
  readonly host: string | null;
  readonly port: number | null;
  readonly prefix: string | null;
}

const databaseOf = async (tenantId: string): Promise<pg.Client> => {
  const { rows } = await control.query<Placed>(
    `SELECT p.isolation, p.database, s.host, s.port, s.secret_prefix AS prefix FROM placements p LEFT JOIN servers s ON s.id = p.server_id
     WHERE p.tenant_id = $1 AND p.active`,
    [tenantId],
  );
  const [placed] = rows;
  if (!placed?.database || !placed.host || !placed.port) return pool;
  const { database, host, port, isolation, prefix } = placed;
  const master = isolation === 'server' ? await laptop.secret(`${prefix}/migrate`) : {};
  return laptop.admin(database, { host, port, ...master });
};

const stagingSchemas = async (database: pg.Client): Promise<unknown[]> =>
  (await database.query(`SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tn\\_stage%'`)).rows;

let source: Record<string, string>;
let neighbour: Record<string, string>;

beforeAll(async () => {
  laptop = await startTestCloud();
  pool = await laptop.admin('pool');
  control = await laptop.admin('control');
  for (const [seed, tenantId] of ['acme', 'globex'].entries()) {
    expect(await laptop.run('provision-tenant', { tenantId, plan: 'starter' })).toMatchObject({ status: 'SUCCEEDED' });
    await loadChat(pool, { tenantId, users: 8, messages: 120, seed: seed + 1 });
  }
  expect(await laptop.run('back-up-tenant', { tenantId: 'acme' })).toMatchObject({ status: 'SUCCEEDED' });
  source = await rowsOf(pool, 'acme');
  neighbour = await rowsOf(pool, 'globex');
});
afterAll(() => laptop.close());

const unchanged = async (): Promise<void> => {
  expect(await rowsOf(pool, 'acme')).toEqual(source);
  expect(await rowsOf(pool, 'globex')).toEqual(neighbour);
};

describe('a backup becomes a new tenant', () => {
  test.each(['pooled', 'database', 'server'])(
    'of isolation %s with the same rows under its own name',
    async (isolation) => {
      const newTenantId = `acme-${isolation}`;
      const cloned = await laptop.run('clone-tenant', { tenantId: 'acme', newTenantId, plan: 'enterprise', isolation });
      expect(cloned, cloned.cause).toMatchObject({ status: 'SUCCEEDED' });
      expect(JSON.parse(cloned.output!)).toMatchObject({ tenantId: 'acme', newTenantId, outcome: 'cloned', isolation });
      const database = await databaseOf(newTenantId);
      expect(await rowsOf(database, newTenantId)).toEqual(source);
      expect(await stagingSchemas(database)).toEqual([]);
      await unchanged();
      // The next message of the app finds a free number.
      await database.query(`SELECT set_config('app.tenant_id', '${newTenantId}', false)`);
      const { rows } = await database.query<{ free: boolean }>(
        `INSERT INTO messages (tenant_id, stream_id, sender_id, body) SELECT tenant_id, stream_id, sender_id, 'first of its own'
         FROM messages WHERE tenant_id = $1 LIMIT 1 RETURNING id > 1 AS free`,
        [newTenantId],
      );
      expect(rows).toEqual([{ free: true }]);
      await database.query(`RESET app.tenant_id`);
      const { body } = await laptop.api<{ status: string; sourceTenantId: string; result: { inserted: number } }>(
        'GET',
        `/restores/${cloned.name}`,
      );
      expect(body).toMatchObject({ status: 'cloned', sourceTenantId: 'acme', into: 'new-tenant' });
      const [event] = await laptop.eventually<{ detail: object }>(
        `SELECT detail FROM events WHERE detail_type = 'TenantCloned' AND operation = $1`,
        [cloned.name],
      );
      expect(event!.detail).toMatchObject({ newTenantId, rows: body.result.inserted });
      expect(await laptop.run('back-up-tenant', { tenantId: newTenantId })).toMatchObject({ status: 'SUCCEEDED' });
    },
    180_000,
  );
});

describe('a clone that fails leaves nothing behind', () => {
  const routes = async (tenantId: string): Promise<number | null> =>
    (await control.query('SELECT FROM routes WHERE tenant_id = $1', [tenantId])).rowCount;

  test('when its name is taken: the owner of the name hears nothing of it', async () => {
    const failed = await laptop.run('clone-tenant', { tenantId: 'acme', newTenantId: 'globex' });
    expect(failed).toMatchObject({ status: 'FAILED', error: 'CloneFailed', cause: expect.stringMatching(/is taken/) });
    await unchanged();
    expect(await routes('globex')).toBe(1);
  });

  test.each(['pooled', 'database'])(
    'when its rows miss reference data, isolation %s; later the same name is free',
    async (isolation) => {
      const newTenantId = `late-${isolation}`;
      /** PostgreSQL copies a database only while nobody is in it. */
      const alter = async (text: string, values: unknown[] = []): Promise<{ code: string; glyph: string }[]> => {
        const client = await laptop.admin(isolation === 'pooled' ? 'pool' : 'tn_ready');
        await client.query('SET session_replication_role = replica');
        const { rows } = await client.query<{ code: string; glyph: string }>(text, values);
        await client.end();
        return rows;
      };
      const { rows: used } = await pool.query<{ emoji: string }>(
        `SELECT DISTINCT emoji FROM reactions WHERE tenant_id = 'acme'`,
      );
      const removed = await alter('DELETE FROM emoji_catalogue WHERE code = ANY ($1) RETURNING *', [
        used.map(({ emoji }) => emoji),
      ]);
      expect(removed.length).toBeGreaterThan(0);
      const put = async (): Promise<void> => {
        for (const { code, glyph } of removed)
          await alter('INSERT INTO emoji_catalogue VALUES ($1, $2)', [code, glyph]);
      };
      const execution = await laptop.start('clone-tenant', {
        tenantId: 'acme',
        newTenantId,
        plan: 'enterprise',
        isolation,
      });
      const failed = await laptop.ended(execution);
      await put();
      expect(failed).toMatchObject({ status: 'FAILED', error: 'CloneFailed' });
      expect(failed.cause).toMatch(/LoadClone: .*reactions would refer to missing rows of public\.emoji_catalogue/);
      expect((await control.query('SELECT FROM tenants WHERE id = $1', [newTenantId])).rowCount).toBe(0);
      expect((await control.query('SELECT FROM placements WHERE tenant_id = $1', [newTenantId])).rowCount).toBe(0);
      expect((await control.query(`SELECT FROM leases WHERE holder IS NOT NULL`)).rowCount).toBe(0);
      expect(await routes(newTenantId)).toBe(0);
      expect((await pool.query('SELECT FROM tenantry.tenants WHERE tenant_id = $1', [newTenantId])).rowCount).toBe(0);
      expect(await stagingSchemas(pool)).toEqual([]);
      expect((await control.query(`SELECT FROM pg_database WHERE datname LIKE 't\\_late%'`)).rowCount).toBe(0);
      await laptop.eventually(`SELECT FROM events WHERE detail_type = 'TenantCloneFailed' AND operation = $1`, [
        failed.name,
      ]);
      await unchanged();
      const again = await laptop.run('clone-tenant', { tenantId: 'acme', newTenantId, plan: 'enterprise', isolation });
      expect(again, again.cause).toMatchObject({ status: 'SUCCEEDED' });
      expect(await rowsOf(await databaseOf(newTenantId), newTenantId)).toEqual(source);
    },
  );
});
