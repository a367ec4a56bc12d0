import {
  AddTagsToResourceCommand,
  DBInstanceAlreadyExistsFault,
  DBInstanceNotFoundFault,
  DBParameterGroupNotFoundFault,
  DeleteDBInstanceCommand,
  DescribeDBInstancesCommand,
  DescribeEventsCommand,
  InvalidDBInstanceStateFault,
  ListTagsForResourceCommand,
  ModifyDBInstanceCommand,
  RebootDBInstanceCommand,
  RemoveTagsFromResourceCommand,
  StartDBInstanceCommand,
  StopDBInstanceCommand,
  waitUntilDBInstanceAvailable,
  waitUntilDBInstanceDeleted,
} from '@aws-sdk/client-rds';
import { describe, expect, test } from 'vitest';
import type { MasterSecrets } from '../../../local/rds/secrets.ts';
import { accountId, region } from '../gateway/account.ts';
import { master, openRds, query, reaches, refusal } from '../rds/laptop-rds.ts';

const waiting = { maxWaitTime: 60, minDelay: 0.05, maxDelay: 0.2 };

test("an instance lives through AWS's statuses, and is a PostgreSQL server with its master user and its database", async () => {
  const rds = await openRds();
  const { client } = rds;
  const one = { DBInstanceIdentifier: 'acme' };
  const { DBInstance: made } = await rds.create('Acme', {
    DBName: 'chat',
    DeletionProtection: true,
    DBSubnetGroupName: 'tenant-servers',
    VpcSecurityGroupIds: ['sg-1'],
    Tags: [{ Key: 'tenant', Value: 'acme & <sons>' }],
  });
  expect(made).toMatchObject({ ...one, DBInstanceStatus: 'creating', DBInstanceClass: 'db.t4g.micro' });
  expect(made).not.toHaveProperty('Endpoint');
  await waitUntilDBInstanceAvailable({ client, ...waiting }, one);
  const acme = await rds.describe('acme');
  expect(acme).toMatchObject({
    DBInstanceArn: `arn:aws:rds:${region}:${accountId}:db:acme`,
    Engine: 'postgres',
    EngineVersion: expect.stringMatching(/^15\.\d+$/),
    Endpoint: { Address: '127.0.0.1', Port: expect.any(Number) },
    DBName: 'chat',
    MasterUsername: master.username,
    AllocatedStorage: 20,
    DeletionProtection: true,
    DBSubnetGroup: { DBSubnetGroupName: 'tenant-servers' },
    VpcSecurityGroups: [{ VpcSecurityGroupId: 'sg-1', Status: 'active' }],
    DBParameterGroups: [{ DBParameterGroupName: 'default.postgres15', ParameterApplyStatus: 'in-sync' }],
    TagList: [{ Key: 'tenant', Value: 'acme & <sons>' }],
    InstanceCreateTime: expect.any(Date),
  });
  const [who] = await query(
    acme,
    'SELECT current_user AS me, pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname = current_database()',
    master,
    'chat',
  );
  expect(who).toEqual({ me: master.username, owner: master.username });

  const deletion = new DeleteDBInstanceCommand({ ...one, SkipFinalSnapshot: true });
  expect(await refusal(client.send(deletion))).toMatchObject({
    name: 'InvalidParameterCombination',
    message: expect.stringContaining('disable deletion protection'),
  });
  await client.send(new ModifyDBInstanceCommand({ ...one, DeletionProtection: false }));
  expect(await refusal(client.send(new DeleteDBInstanceCommand(one)))).toMatchObject({
    name: 'InvalidParameterCombination',
    message: expect.stringContaining('FinalDBSnapshotIdentifier is required'),
  });
  const { DBInstance: going } = await client.send(deletion);
  expect(going?.DBInstanceStatus).toBe('deleting');
  expect(await refusal(client.send(deletion))).toSatisfy(
    (error) => error instanceof InvalidDBInstanceStateFault || error instanceof DBInstanceNotFoundFault,
  );
  await waitUntilDBInstanceDeleted({ client, ...waiting }, one);
  expect(await refusal(rds.describe('acme'))).toBeInstanceOf(DBInstanceNotFoundFault);
  await expect(query(acme, 'SELECT')).rejects.toThrow(/ECONNREFUSED/);
});

test('an instance is stopped, started on its port with its rows, rebooted, and given another password', async () => {
  const rds = await openRds();
  const { client } = rds;
  const one = { DBInstanceIdentifier: 'acme' };
  await rds.create('acme');
  const acme = await reaches(rds, 'acme', 'available');
  await query(acme, 'CREATE TABLE kept AS SELECT 7 AS answer');
  expect((await client.send(new StopDBInstanceCommand(one))).DBInstance?.DBInstanceStatus).toBe('stopping');
  await reaches(rds, 'acme', 'stopped');
  await expect(query(acme, 'SELECT')).rejects.toThrow(/ECONNREFUSED/);
  expect(await refusal(client.send(new RebootDBInstanceCommand(one)))).toBeInstanceOf(InvalidDBInstanceStateFault);
  await client.send(new StartDBInstanceCommand(one));
  const started = await reaches(rds, 'acme', 'available');
  expect(started.Endpoint).toEqual(acme.Endpoint);
  expect(await query(started, 'SELECT answer FROM kept')).toEqual([{ answer: 7 }]);
  const [before] = await query(started, 'SELECT pg_postmaster_start_time()::text AS at');
  expect((await client.send(new RebootDBInstanceCommand(one))).DBInstance?.DBInstanceStatus).toBe('rebooting');
  await reaches(rds, 'acme', 'available');
  expect(await query(started, 'SELECT pg_postmaster_start_time()::text AS at')).not.toEqual([before]);
  const { DBInstance: changing } = await client.send(
    new ModifyDBInstanceCommand({ ...one, MasterUserPassword: 'another-password' }),
  );
  expect(changing).toMatchObject({
    DBInstanceStatus: 'modifying',
    PendingModifiedValues: { MasterUserPassword: '****' },
  });
  await reaches(rds, 'acme', 'available');
  await expect(query(acme, 'SELECT')).rejects.toThrow(/password authentication failed/);
  expect(await query(acme, 'SELECT 1 AS one', { ...master, password: 'another-password' })).toEqual([{ one: 1 }]);
});

test('what a modification does not apply at once waits, and comes with the next that does', async () => {
  const rds = await openRds();
  const one = { DBInstanceIdentifier: 'acme' };
  await rds.create('acme');
  await reaches(rds, 'acme', 'available');
  await rds.client.send(new ModifyDBInstanceCommand({ ...one, DBInstanceClass: 'db.m7g.large' }));
  expect(await rds.describe('acme')).toMatchObject({
    DBInstanceStatus: 'available',
    DBInstanceClass: 'db.t4g.micro',
    PendingModifiedValues: { DBInstanceClass: 'db.m7g.large' },
  });
  await rds.client.send(new ModifyDBInstanceCommand({ ...one, AllocatedStorage: 40, ApplyImmediately: true }));
  expect(await reaches(rds, 'acme', 'available')).toMatchObject({
    DBInstanceClass: 'db.m7g.large',
    AllocatedStorage: 40,
  });
  expect(
    await refusal(
      rds.client.send(new ModifyDBInstanceCommand({ ...one, AllocatedStorage: 20, ApplyImmediately: true })),
    ),
  ).toMatchObject({ name: 'InvalidParameterCombination', message: expect.stringContaining('storage only grows') });
});

test('a master password that RDS manages lies in Secrets Manager, opens the server, and goes with the instance', async () => {
  const kept = new Map<string, { username: string; password: string }>();
  const secrets: MasterSecrets = {
    keep: async (name, login) => {
      kept.set(`arn:${name}`, login);
      return `arn:${name}`;
    },
    remove: async (arn) => void kept.delete(arn),
  };
  const rds = await openRds({ secrets });
  await rds.create('acme', { MasterUserPassword: undefined, ManageMasterUserPassword: true });
  const acme = await reaches(rds, 'acme', 'available');
  const arn = acme.MasterUserSecret?.SecretArn ?? '';
  expect(arn).toMatch(/^arn:rds!db-/);
  const login = kept.get(arn)!;
  expect(login.username).toBe(master.username);
  expect(await query(acme, 'SELECT 1 AS one', login)).toEqual([{ one: 1 }]);
  await rds.client.send(new DeleteDBInstanceCommand({ DBInstanceIdentifier: 'acme', SkipFinalSnapshot: true }));
  await waitUntilDBInstanceDeleted({ client: rds.client, ...waiting }, { DBInstanceIdentifier: 'acme' });
  expect(kept.size).toBe(0);
});

describe('a call is refused with the error that AWS has for it', () => {
  test.each([
    ['a name with a gap', { DBInstanceIdentifier: 'a b' }, 'InvalidParameterValue', 'valid identifier'],
    ['a name that ends with a hyphen', { DBInstanceIdentifier: 'acme-' }, 'InvalidParameterValue', 'valid identifier'],
    ['another engine', { Engine: 'mysql' }, 'InvalidParameterValue', 'Invalid DB engine'],
    ['a version that is not here', { EngineVersion: '9.6' }, 'InvalidParameterCombination', 'Cannot find version 9.6'],
    ['a class of another form', { DBInstanceClass: 't4g.micro' }, 'InvalidParameterValue', 'db.t4g.medium'],
    ['too little storage', { AllocatedStorage: 5 }, 'InvalidParameterValue', '20 to 65536'],
    ['a short password', { MasterUserPassword: 'short' }, 'InvalidParameterValue', '8 to 128'],
    ['no password', { MasterUserPassword: undefined }, 'MissingParameter', 'MasterUserPassword'],
    ['a reserved master', { MasterUsername: 'rdsadmin' }, 'InvalidParameterValue', 'reserved word'],
    ['36 days of backups', { BackupRetentionPeriod: 36 }, 'InvalidParameterValue', 'between 0 and 35'],
    ['an unknown parameter group', { DBParameterGroupName: 'nope' }, DBParameterGroupNotFoundFault.name, 'nope'],
    ['a cluster', { DBClusterIdentifier: 'c' }, 'NotImplemented', 'DBClusterIdentifier'],
  ])('%s', async (_what, more, name, hint) => {
    const rds = await openRds();
    expect(await refusal(rds.create('acme', more))).toMatchObject({ name, message: expect.stringContaining(hint) });
    expect((await rds.client.send(new DescribeDBInstancesCommand({}))).DBInstances).toEqual([]);
  });

  test('a name that is taken, an instance that is busy, an operation that is not here', async () => {
    const rds = await openRds();
    await rds.create('acme');
    expect(await refusal(rds.create('ACME'))).toBeInstanceOf(DBInstanceAlreadyExistsFault);
    expect(
      await refusal(rds.client.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: 'acme' }))),
    ).toBeInstanceOf(InvalidDBInstanceStateFault);
    const unknown = await refusal(rds.client.send(new DescribeEventsCommand({})));
    expect(unknown).toMatchObject({ name: 'NotImplemented', $metadata: { httpStatusCode: 501 } });
    await reaches(rds, 'acme', 'available');
  });
});

test('instances are listed by name and filter, and tags are added and removed on the running one', async () => {
  const rds = await openRds();
  await Promise.all(['b', 'a'].map((id) => rds.create(id, { Tags: [{ Key: 'tenant', Value: id }] })));
  const names = async (input: object) =>
    (await rds.client.send(new DescribeDBInstancesCommand(input))).DBInstances?.map(
      ({ DBInstanceIdentifier: id }) => id,
    );
  expect(await names({})).toEqual(['a', 'b']);
  expect(await names({ Filters: [{ Name: 'db-instance-id', Values: ['b', 'c'] }] })).toEqual(['b']);
  expect(await refusal(names({ MaxRecords: 10 }))).toMatchObject({ name: 'InvalidParameterValue' });
  const ResourceName = `arn:aws:rds:${region}:${accountId}:db:a`;
  await rds.client.send(new AddTagsToResourceCommand({ ResourceName, Tags: [{ Key: 'step', Value: 'x' }] }));
  await rds.client.send(new RemoveTagsFromResourceCommand({ ResourceName, TagKeys: ['tenant'] }));
  const { TagList } = await rds.client.send(new ListTagsForResourceCommand({ ResourceName }));
  expect(TagList).toEqual([{ Key: 'step', Value: 'x' }]);
  await Promise.all(['a', 'b'].map((id) => reaches(rds, id, 'available')));
});
