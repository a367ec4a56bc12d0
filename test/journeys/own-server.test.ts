import { DescribeDBInstancesCommand, RDSClient } from '@aws-sdk/client-rds';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadChat } from '../../sample-app/load.ts';
import { startTestCloud, type TestCloud } from '../cloud.ts';

let laptop: TestCloud;
let control: pg.Client;
let rds: RDSClient;

beforeAll(async () => {
  laptop = await startTestCloud();
  control = await laptop.admin('control');
  const { endpoint, region, credentials } = laptop.cloud;
  rds = new RDSClient({ endpoint, region, credentials });
  const signup = await laptop.run('provision-tenant', { tenantId: 'acme', plan: 'enterprise', isolation: 'server' });
  expect(signup, signup.cause).toMatchObject({ status: 'SUCCEEDED' });
});
afterAll(async () => {
  rds.destroy();
  await laptop.close();
});

interface Place {
  readonly server: string;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly prefix: string;
}

const place = async (): Promise<Place> =>
  (
    await control.query<Place>(
      `SELECT s.id AS server, s.host, s.port, p.database, s.secret_prefix AS prefix
       FROM placements p JOIN servers s ON s.id = p.server_id WHERE p.tenant_id = 'acme'`,
    )
  ).rows[0]!;

const own = async (): Promise<pg.Client> => {
  const { host, port, database, prefix } = await place();
  return laptop.admin(database, { host, port, ...(await laptop.secret(`${prefix}/migrate`)) });
};

describe('a tenant with a server of its own', () => {
  test('has an instance that only it uses, protected against deletion, that can take part in a move', async () => {
    const { server } = await place();
    const { DBInstances } = await rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: server }));
    expect(DBInstances![0]).toMatchObject({ DBInstanceStatus: 'available', DeletionProtection: true });
    expect(DBInstances![0]!.TagList).toContainEqual({ Key: 'tenant', Value: 'acme' });
    const client = await own();
    expect((await client.query('SHOW wal_level')).rows).toEqual([{ wal_level: 'logical' }]);
    expect((await client.query('SELECT DISTINCT tenant_id FROM realms')).rows).toEqual([{ tenant_id: 'acme' }]);
  });

  test('is backed up, and gets one table back in place', async () => {
    const client = await own();
    await loadChat(client, { tenantId: 'acme', users: 5, messages: 60, seed: 7 });
    const count = async (): Promise<unknown> =>
      (await client.query('SELECT count(*)::int AS n FROM reactions')).rows[0];
    const before = await count();
    const backup = await laptop.run('back-up-tenant', { tenantId: 'acme' });
    expect(backup, backup.cause).toMatchObject({ status: 'SUCCEEDED' });
    await client.query('SET session_replication_role = replica; DELETE FROM reactions');
    const restored = await laptop.run('restore-tenant', {
      tenantId: 'acme',
      tables: ['reactions'],
      into: 'in-place',
      approval: 'given',
    });
    expect(restored, restored.cause).toMatchObject({ status: 'SUCCEEDED' });
    expect(await count()).toEqual(before);
  });

  test('leaves no instance and no secret behind', async () => {
    const { server, prefix } = await place();
    const gone = await laptop.run('deprovision-tenant', { tenantId: 'acme', graceSeconds: 0 });
    expect(gone, gone.cause).toMatchObject({ status: 'SUCCEEDED' });
    await expect(rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: server }))).rejects.toMatchObject({
      name: 'DBInstanceNotFoundFault',
    });
    await expect(laptop.secret(`${prefix}/migrate`)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    expect((await control.query('SELECT FROM servers WHERE tenant_id IS NOT NULL')).rowCount).toBe(0);
  });
});
