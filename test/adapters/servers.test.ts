import { DescribeDBInstancesCommand } from '@aws-sdk/client-rds';
import { expect, test } from 'vitest';
import { openServers, type ServerSettings } from '../../adapters/servers.ts';
import { createServerParameters } from '../../local/deploy/servers.ts';
import { master, openRds, query, reaches, refusal, restorable } from '../local/rds/laptop-rds.ts';

const settings: ServerSettings = {
  instanceClass: 'db.t4g.medium',
  storageGb: 20,
  engineVersion: '15',
  parameterGroup: 'tenantry-tenant-servers',
  recoveryParameterGroup: 'tenantry-tenant-servers-recovery',
  subnetGroup: 'tenantry-tenant-servers',
  securityGroup: 'sg-tenantry',
};

const tags = { tenant: 'acme', operation: 'op-1', step: 'CreateServer' };

/** RDS with the parameter groups that the deployment makes. */
const open = async () => {
  const rds = await openRds();
  await createServerParameters(rds.client);
  return { rds, servers: openServers(rds.client, settings) };
};

test("a tenant's server is made once however often it is asked for, restored to a moment, and removed with its protection", async () => {
  const { rds, servers } = await open();
  const instance = 'tenantry-acme-1';
  expect(await servers.describe(instance)).toBeUndefined();
  await servers.create({ instance, master, tags });
  await servers.create({ instance, master, tags: { ...tags, operation: 'op-2' } });
  expect(await servers.describe(instance)).toMatchObject({ status: 'creating', host: undefined, tenant: 'acme' });
  // RDS deletes nothing that it is still making.
  expect(await refusal(servers.remove({ instance, tenantId: 'acme' }))).toMatchObject({ name: 'ServerNotReady' });
  const made = await reaches(rds, instance, 'available');
  expect(made.TagList).toContainEqual({ Key: 'operation', Value: 'op-1' });
  expect(await query(made, 'SHOW wal_level')).toEqual([{ wal_level: 'logical' }]);

  const theirs = { ...tags, tenant: 'globex' };
  expect(await refusal(servers.create({ instance, master, tags: theirs }))).toMatchObject({
    name: 'ServerRefused',
    message: expect.stringContaining('belongs to acme, not to tenant globex'),
  });
  expect(await refusal(servers.remove({ instance, tenantId: 'globex' }))).toMatchObject({ name: 'ServerRefused' });

  await query(made, 'CREATE TABLE notes AS SELECT 1 AS id');
  // What a move leaves enabled; that nobody publishes there is tried again and again.
  await query(
    made,
    "CREATE SUBSCRIPTION open_move CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p WITH (connect = false, slot_name = none)",
  );
  await query(made, "ALTER SUBSCRIPTION open_move SET (slot_name = 'open_move')");
  await query(made, 'ALTER SUBSCRIPTION open_move ENABLE');
  const [then] = await query(made, 'SELECT clock_timestamp() AS at');
  const at = then!.at as Date;
  await query(made, 'SELECT pg_sleep(0.005)');
  await query(made, 'DROP TABLE notes');
  await restorable(rds, instance, at);
  expect((await servers.describe(instance))!.restorableUntil!.getTime()).toBeGreaterThanOrEqual(at.getTime());
  const restore = { source: instance, target: 'tenantry-acme-then', at, tags };
  await servers.restoreTo(restore);
  await servers.restoreTo(restore);
  expect(await refusal(servers.restoreTo({ ...restore, tags: theirs }))).toMatchObject({ name: 'ServerRefused' });
  const restored = await reaches(rds, restore.target, 'available');
  expect(await query(restored, 'SELECT id FROM notes')).toEqual([{ id: 1 }]);
  expect(await query(restored, 'SELECT subname, subenabled FROM pg_subscription')).toEqual([
    { subname: 'open_move', subenabled: true },
  ]);
  const workers = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE backend_type LIKE 'logical replication%'";
  expect(await query(restored, workers)).toEqual([{ n: 0 }]);
  expect(await query(restored, 'SHOW max_logical_replication_workers')).toEqual([
    { max_logical_replication_workers: '0' },
  ]);
  // As a move does before its server goes: only then can the database be dropped.
  await query(made, 'ALTER SUBSCRIPTION open_move DISABLE');

  for (const id of [instance, restore.target]) {
    await servers.remove({ instance: id, tenantId: 'acme' });
    await servers.remove({ instance: id, tenantId: 'acme' });
  }
  await expect
    .poll(async () => (await rds.client.send(new DescribeDBInstancesCommand({}))).DBInstances, { timeout: 30_000 })
    .toEqual([]);
  await servers.remove({ instance, tenantId: 'acme' });
});

test('an instance that nobody tagged is left alone, and what RDS will never do is refused with its words', async () => {
  const { rds, servers } = await open();
  await rds.create('legacy');
  expect(await refusal(servers.create({ instance: 'legacy', master, tags }))).toMatchObject({
    name: 'ServerRefused',
    message: expect.stringContaining('nobody that Tenantry knows'),
  });
  expect(await refusal(servers.remove({ instance: 'legacy', tenantId: 'acme' }))).toMatchObject({
    name: 'ServerRefused',
  });
  const wrong = openServers(rds.client, { ...settings, parameterGroup: 'missing' });
  expect(await refusal(wrong.create({ instance: 'tenantry-acme-1', master, tags }))).toMatchObject({
    name: 'ServerRefused',
    message: expect.stringContaining('DBParameterGroup not found: missing'),
  });
  await reaches(rds, 'legacy', 'available');
});
