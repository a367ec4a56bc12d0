import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { registryRoutes } from '../../app-kit/registry.ts';
import { secretsManagerLogins } from '../../app-kit/secrets.ts';
import { addSecondServer, type SecondServer } from '../../bench/second-server.ts';
import { chatTables, loadChat } from '../../sample-app/load.ts';
import { startTestCloud, type TestCloud } from '../cloud.ts';
import { checkOperations, type Load, prepareWriters, startWriters } from '../load/writers.ts';

let laptop: TestCloud;
let second: SecondServer;
let control: pg.Client;
let load: Load;
let neighbours: string;

const opened = new Map<string, Promise<pg.Client>>();

/** The owner of the server on which the tenant's rows are now, in their database. */
const homeOf = async (tenantId: string): Promise<pg.Client> => {
  const { rows } = await control.query<{ host: string; port: number; database: string; secret: string }>(
    `SELECT r.database_host AS host, r.database_port AS port, r.database,
       coalesce(s.secret_prefix, c.secret_prefix) || '/migrate' AS secret
     FROM router r JOIN placements p ON p.tenant_id = r.tenant_id AND p.active JOIN cells c ON c.id = p.cell_id
       LEFT JOIN servers s ON s.id = p.server_id WHERE r.tenant_id = $1 LIMIT 1`,
    [tenantId],
  );
  const { secret, ...place } = rows[0]!;
  const name = `${place.port}/${place.database}`;
  const client =
    opened.get(name) ?? (async () => laptop.admin(place.database, { ...place, ...(await laptop.secret(secret)) }))();
  opened.set(name, client);
  return client;
};

/** Rows of everybody else, in both pools. */
const digestOfNeighbours = async (): Promise<string> => {
  const found: string[] = [];
  for (const pool of [await laptop.admin('pool'), await second.connect('pool')])
    for (const table of chatTables) {
      const { rows } = await pool.query<{ digest: string }>(
        `SELECT md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE "C"), '')) AS digest FROM ${table} t WHERE tenant_id <> 'acme'`,
      );
      found.push(rows[0]!.digest);
    }
  return found.join();
};

const channels = async (): Promise<unknown[]> => {
  const text = `SELECT slot_name::text AS name FROM pg_replication_slots UNION ALL SELECT subname::text FROM pg_subscription`;
  const there = await second.connect('pool');
  const rows = [
    ...(await control.query(text)).rows,
    ...(await there.query(text)).rows,
    ...(await (await homeOf('acme')).query(text)).rows,
  ];
  await there.end();
  return rows;
};

beforeAll(async () => {
  laptop = await startTestCloud();
  second = await addSecondServer(laptop);
  control = await laptop.admin('control');
  for (const [seed, tenantId] of ['acme', 'globex', 'initech'].entries()) {
    const signup = await laptop.run('provision-tenant', { tenantId });
    expect(signup, signup.cause).toMatchObject({ status: 'SUCCEEDED' });
    await loadChat(await homeOf(tenantId), { tenantId, users: 8, messages: 120, seed: seed + 1 });
  }
  neighbours = await digestOfNeighbours();
  await prepareWriters(await homeOf('acme'), 'acme', 3);
  const logins = secretsManagerLogins(laptop.secrets);
  const { host, port } = laptop.cloud.postgres;
  const routes = registryRoutes({ host, port, database: 'control', secretId: 'tenantry/registry/router' }, logins);
  load = startWriters({
    board: { read: async () => (await routes.byTenant('acme'))! },
    app: logins,
    writers: 3,
    pause: 20,
  });
}, 240_000);

afterAll(async () => {
  await load?.stop();
  for (const client of opened.values()) await (await client).end().catch(() => undefined);
  await second?.stop();
  await laptop?.close();
});

/** Every ordered pair of the three isolations, two pools, two shared servers and two servers of the tenant's own. */
const legs = [
  ['to a pool', { isolation: 'pooled' }],
  ['back to the first pool', { isolation: 'pooled' }],
  ['to a database of its own', { isolation: 'database', server: 'local-1' }],
  ['to a database on the other server', { isolation: 'database', server: 'local-2' }],
  ['from the database to a server of its own', { isolation: 'server' }],
  ['from its server to another of its own', { isolation: 'server' }],
  ['from its server into a pool', { isolation: 'pooled' }],
  ['from the pool to a server of its own', { isolation: 'server' }],
  ['from its server to a database', { isolation: 'database' }],
  ['from the database into a pool', { isolation: 'pooled' }],
] as const;

test.each(legs)(
  'a tenant that is written to moves %s',
  async (_, request) => {
    await load.more(30);
    const moved = await laptop.run('migrate-tenant', { tenantId: 'acme', windowSeconds: 0, ...request });
    expect(moved, moved.cause).toMatchObject({ status: 'SUCCEEDED' });
    expect(JSON.parse(moved.output!)).toMatchObject({ phase: 'finished' });
    await load.more(30);
    expect(load.refused).toEqual([]);
    const home = await homeOf('acme');
    const { rows } = await home.query<{ last: string; highest: string }>(
      `SELECT (SELECT last_value FROM messages_id_seq) AS last, (SELECT max(id) FROM messages WHERE tenant_id = 'acme') AS highest`,
    );
    expect(Number(rows[0]!.last)).toBeGreaterThanOrEqual(Number(rows[0]!.highest));
    expect(await channels()).toEqual([]);
    expect(await digestOfNeighbours()).toBe(neighbours);
    expect((await control.query("SELECT FROM placements WHERE tenant_id = 'acme'")).rowCount).toBe(1);
  },
  240_000,
);

test('after all of them every acknowledged write is there once', async () => {
  await load.stop();
  expect(await checkOperations(await homeOf('acme'), 'acme', load)).toMatchObject({
    lost: [],
    duplicated: [],
    unasked: [],
  });
});
