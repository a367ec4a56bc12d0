import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPublication, publicationSql } from '../../../adapters/replication/publication.ts';
import { createSlot } from '../../../adapters/replication/slot.ts';
import { createSubscription, findSubscription, subscriptionSql } from '../../../adapters/replication/subscription.ts';
import { startTestPostgres, type TestPostgres } from '../../postgres.ts';
import { overtaken } from '../../postgres-race.ts';

const name = 'tn_move_twice';
const scope = { tables: [] };

let server: TestPostgres;
let one: pg.Client;
let other: pg.Client;
beforeAll(async () => {
  server = await startTestPostgres();
  [one, other] = [await server.connect(), await server.connect()];
  await one.query('CREATE SCHEMA tenantry; CREATE TABLE tenantry.barriers (tenant_id text PRIMARY KEY)');
});
afterAll(async () => {
  await Promise.all([one.end(), other.end()]);
  await server.stop();
});

test('two attempts of a step make one publication, one slot and one subscription', async () => {
  const publish = () => createPublication(other, name, scope, 'acme');
  expect(await overtaken(one, publicationSql(name, scope, 'acme'), publish)).toMatchObject({ status: 'fulfilled' });
  await Promise.all([createSlot(one, name, 15_000), createSlot(other, name, 15_000)]);
  const { host, port, superuser } = server;
  const request = { name, publisher: { host, port, database: 'postgres', ...superuser }, copyData: false };
  const subscribe = () => createSubscription(other, request);
  expect(await overtaken(one, subscriptionSql(request), subscribe)).toEqual({
    status: 'fulfilled',
    value: await findSubscription(one, name),
  });
  await one.query(`ALTER SUBSCRIPTION ${name} SET (slot_name = NONE)`);
  await one.query(`DROP SUBSCRIPTION ${name}`);
  await one.query('SELECT pg_drop_replication_slot($1)', [name]);
});
