import {
  CreateDBParameterGroupCommand,
  DBParameterGroupAlreadyExistsFault,
  DBParameterGroupNotFoundFault,
  DeleteDBInstanceCommand,
  DeleteDBParameterGroupCommand,
  DescribeDBParameterGroupsCommand,
  DescribeDBParametersCommand,
  InvalidDBParameterGroupStateFault,
  ModifyDBInstanceCommand,
  ModifyDBParameterGroupCommand,
  type Parameter,
  RebootDBInstanceCommand,
  waitUntilDBInstanceDeleted,
} from '@aws-sdk/client-rds';
import { expect, test } from 'vitest';
import { type LaptopRds, openRds, query, reaches, refusal } from '../rds/laptop-rds.ts';

const group = { DBParameterGroupName: 'tenants' };

const createGroup = ({ client }: LaptopRds, DBParameterGroupFamily = 'postgres15') =>
  client.send(new CreateDBParameterGroupCommand({ ...group, DBParameterGroupFamily, Description: 'tenants' }));

const change = ({ client }: LaptopRds, ...Parameters: Parameter[]) =>
  client.send(new ModifyDBParameterGroupCommand({ ...group, Parameters }));

const logical = (ParameterValue: string): Parameter => ({
  ParameterName: 'rds.logical_replication',
  ParameterValue,
  ApplyMethod: 'pending-reboot',
});

const applyStatus = async (rds: LaptopRds) => (await rds.describe('acme')).DBParameterGroups![0]!.ParameterApplyStatus;

test('logical replication is switched on by a parameter and a reboot, and shows that it waits for one', async () => {
  const rds = await openRds();
  await createGroup(rds);
  await rds.create('acme', group);
  const acme = await reaches(rds, 'acme', 'available');
  const level = () => query(acme, 'SHOW wal_level');
  expect(await level()).toEqual([{ wal_level: 'replica' }]);
  await change(rds, logical('1'));
  expect(await applyStatus(rds)).toBe('pending-reboot');
  expect(await level()).toEqual([{ wal_level: 'replica' }]);
  await rds.client.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: 'acme' }));
  await reaches(rds, 'acme', 'available');
  expect(await applyStatus(rds)).toBe('in-sync');
  expect(await level()).toEqual([{ wal_level: 'logical' }]);
  // The master user can do what a move needs.
  await query(
    acme,
    `CREATE PUBLICATION p FOR ALL TABLES; CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p WITH (connect = false)`,
  );

  await change(rds, { ParameterName: 'work_mem', ParameterValue: '8192', ApplyMethod: 'immediate' });
  expect(await applyStatus(rds)).toBe('in-sync');
  expect(await query(acme, 'SHOW work_mem')).toEqual([{ work_mem: '8MB' }]);
  const { Parameters } = await rds.client.send(new DescribeDBParametersCommand({ ...group, Source: 'user' }));
  expect(Parameters).toEqual([
    expect.objectContaining({ ParameterName: 'rds.logical_replication', ParameterValue: '1', ApplyType: 'static' }),
    expect.objectContaining({ ParameterName: 'work_mem', ParameterValue: '8192', ApplyType: 'dynamic' }),
  ]);

  // Another group waits for a reboot, whatever is in it.
  await rds.client.send(
    new ModifyDBInstanceCommand({ DBInstanceIdentifier: 'acme', DBParameterGroupName: 'default.postgres15' }),
  );
  expect(await applyStatus(rds)).toBe('pending-reboot');
  await rds.client.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: 'acme' }));
  await reaches(rds, 'acme', 'available');
  expect(await query(acme, 'SHOW work_mem')).toEqual([{ work_mem: '4MB' }]);
  expect(await level()).toEqual([{ wal_level: 'replica' }]);
});

test('parameters with which the server does not start are told by its status, and taken back by the next reboot', async () => {
  const rds = await openRds();
  await createGroup(rds);
  await rds.create('acme', group);
  const acme = await reaches(rds, 'acme', 'available');
  // 8 TiB.
  await change(rds, { ParameterName: 'shared_buffers', ParameterValue: '1073741823', ApplyMethod: 'pending-reboot' });
  const reboot = new RebootDBInstanceCommand({ DBInstanceIdentifier: 'acme' });
  await rds.client.send(reboot);
  await reaches(rds, 'acme', 'incompatible-parameters');
  await change(rds, { ParameterName: 'shared_buffers', ParameterValue: '4096', ApplyMethod: 'pending-reboot' });
  await rds.client.send(reboot);
  await reaches(rds, 'acme', 'available');
  expect(await query(acme, 'SHOW shared_buffers')).toEqual([{ shared_buffers: '32MB' }]);
});

test('a group is refused, kept while it is used, and deleted', async () => {
  const rds = await openRds();
  const { client } = rds;
  expect(await refusal(createGroup(rds, 'mysql8.0'))).toMatchObject({ name: 'InvalidParameterValue' });
  await createGroup(rds);
  expect(await refusal(createGroup(rds))).toBeInstanceOf(DBParameterGroupAlreadyExistsFault);
  const static_ = { ...logical('1'), ApplyMethod: 'immediate' } as const;
  expect(await refusal(change(rds, static_))).toMatchObject({
    name: 'InvalidParameterCombination',
    message: expect.stringContaining('immediate apply method for static parameter'),
  });
  expect(await refusal(change(rds, logical('2')))).toMatchObject({
    message: expect.stringContaining('allowed values'),
  });
  expect(await refusal(change(rds, { ...logical('1'), ParameterName: 'no.such' }))).toMatchObject({
    message: expect.stringContaining('Could not find parameter with name: no.such'),
  });
  const names = async () =>
    (await client.send(new DescribeDBParameterGroupsCommand({}))).DBParameterGroups?.map(
      ({ DBParameterGroupName: name }) => name,
    );
  expect(await names()).toEqual(['default.postgres15', 'tenants']);
  await rds.create('acme', group);
  const remove = new DeleteDBParameterGroupCommand(group);
  expect(await refusal(client.send(remove))).toBeInstanceOf(InvalidDBParameterGroupStateFault);
  await reaches(rds, 'acme', 'available');
  await client.send(new DeleteDBInstanceCommand({ DBInstanceIdentifier: 'acme', SkipFinalSnapshot: true }));
  await waitUntilDBInstanceDeleted(
    { client, maxWaitTime: 60, minDelay: 0.05, maxDelay: 0.2 },
    { DBInstanceIdentifier: 'acme' },
  );
  await client.send(remove);
  expect(await refusal(client.send(remove))).toBeInstanceOf(DBParameterGroupNotFoundFault);
});

test('groups are listed in pages, and a page goes on behind one that has been deleted since', async () => {
  const { client } = await openRds();
  const all = Array.from({ length: 24 }, (_name, index) => `g${String(index).padStart(2, '0')}`);
  for (const DBParameterGroupName of all)
    await client.send(
      new CreateDBParameterGroupCommand({
        DBParameterGroupName,
        DBParameterGroupFamily: 'postgres15',
        Description: 'x',
      }),
    );
  const page = (input: object) => client.send(new DescribeDBParameterGroupsCommand({ MaxRecords: 20, ...input }));
  const names = ({ DBParameterGroups = [] }: Awaited<ReturnType<typeof page>>) =>
    DBParameterGroups.map(({ DBParameterGroupName: name }) => name);
  const first = await page({});
  expect(names(first)).toEqual(['default.postgres15', ...all.slice(0, 19)]);
  await client.send(new DeleteDBParameterGroupCommand({ DBParameterGroupName: 'g18' }));
  const second = await page({ Marker: first.Marker });
  expect([names(second), second.Marker]).toEqual([all.slice(19), undefined]);
});
