import {
  CreateDBParameterGroupCommand,
  DescribeDBInstancesCommand,
  ModifyDBParameterGroupCommand,
} from '@aws-sdk/client-rds';
import { expect, test } from 'vitest';
import { openServers, type ServerSettings } from '../../adapters/servers.ts';
import { master, openRds, query, reaches, refusal, restorable } from '../local/rds/laptop-rds.ts';

const settings: ServerSettings = {
  instanceClass: 'db.t4g.medium',
  storageGb: 20,
  engineVersion: '15',
  parameterGroup: 'tenantry-tenant-servers',
  subnetGroup: 'tenantry-tenant-servers',
  securityGroup: 'sg-tenantry',
};

const tags = { tenant: 'acme', operation: 'op-1', step: 'CreateServer' };

/** RDS with the parameter group that the deployment makes. */
const open = async () => {
  const rds = await openRds();
  const DBParameterGroupName = settings.parameterGroup;
  await rds.client.send(
    new CreateDBParameterGroupCommand({ DBParameterGroupName, DBParameterGroupFamily: 'postgres15', Description: 'x' }),
  );
  await rds.client.send(
    new ModifyDBParameterGroupCommand({
      DBParameterGroupName,
      Parameters: [{ ParameterName: 'rds.logical_replication', ParameterValue: '1', ApplyMethod: 'pending-reboot' }],
    }),
  );
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
