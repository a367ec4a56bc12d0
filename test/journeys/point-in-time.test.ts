import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { DescribeDBInstancesCommand, RDSClient } from '@aws-sdk/client-rds';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chatTables, loadChat } from '../../sample-app/load.ts';
import { terminal } from '../cli/terminal.ts';
import { startTestCloud, type TestCloud, until } from '../cloud.ts';

let laptop: TestCloud;
let tenantry: ReturnType<typeof terminal>;
let control: pg.Client;
let own: pg.Client;
let rds: RDSClient;
let server: string;

const rows = async (): Promise<Record<string, string>> => {
  const found: Record<string, string> = {};
  for (const table of chatTables) {
    const { rows: texts } = await own.query<{ text: string }>(
      `SELECT coalesce(string_agg(t::text, E'\n' ORDER BY t::text COLLATE "C"), '') AS text FROM ${table} t`,
    );
    found[table] = texts[0]!.text;
  }
  return found;
};

const instances = async (): Promise<{ id: string; status: string }[]> =>
  ((await rds.send(new DescribeDBInstancesCommand({}))).DBInstances ?? []).map((one) => ({
    id: one.DBInstanceIdentifier!,
    status: one.DBInstanceStatus!,
  }));

/** As the app would, in one transaction; answers a moment after its commit and before the next one. */
const write = async (text: string): Promise<Date> => {
  await own.query(`BEGIN; SELECT set_config('app.tenant_id', 'acme', true); ${text}; COMMIT`);
  const { rows: clock } = await own.query<{ at: Date }>(
    `SELECT date_trunc('milliseconds', clock_timestamp()) + interval '1 millisecond' AS at FROM pg_sleep(0.01)`,
  );
  // The moment is up to a millisecond ahead of the clock that told it.
  await own.query('SELECT pg_sleep(0.01)');
  return clock[0]!.at;
};

beforeAll(async () => {
  laptop = await startTestCloud();
  tenantry = terminal(laptop.home);
  control = await laptop.admin('control');
  const { endpoint, region, credentials } = laptop.cloud;
  rds = new RDSClient({ endpoint, region, credentials });
  const signup = await laptop.run('provision-tenant', { tenantId: 'acme', plan: 'enterprise', isolation: 'server' });
  expect(signup, signup.cause).toMatchObject({ status: 'SUCCEEDED' });
  expect(await laptop.run('provision-tenant', { tenantId: 'globex' })).toMatchObject({ status: 'SUCCEEDED' });
  const { rows: placed } = await control.query<{
    server: string;
    host: string;
    port: number;
    database: string;
    prefix: string;
  }>(
    `SELECT s.id AS server, s.host, s.port, p.database, s.secret_prefix AS prefix
     FROM placements p JOIN servers s ON s.id = p.server_id WHERE p.tenant_id = 'acme'`,
  );
  const { host, port, database, prefix } = placed[0]!;
  server = placed[0]!.server;
  own = await laptop.admin(database, { host, port, ...(await laptop.secret(`${prefix}/migrate`)) });
  await loadChat(own, { tenantId: 'acme', users: 5, messages: 60, seed: 7 });
  expect(await laptop.run('back-up-tenant', { tenantId: 'acme' })).toMatchObject({ status: 'SUCCEEDED' });
}, 180_000);
afterAll(async () => {
  rds.destroy();
  await laptop.close();
});

describe('a moment between two archives', () => {
  test('comes back exactly, by one command, and its temporary server is gone', async () => {
    await write(`UPDATE users SET full_name = 'changed after the archive'`);
    const wanted = await rows();
    // The plan counts in seconds what an archive lacks: the moment lies in a later one.
    await own.query('SELECT pg_sleep(1.5)');
    const at = await write('SELECT 1');
    await write(`DELETE FROM reactions; DELETE FROM attachments; UPDATE messages SET body = 'lost'`);
    // The archive alone cannot give it back, and the plan says so in words.
    const copy = await tenantry.run('restore', 'acme', '--at', at.toISOString(), '--dry-run');
    expect(copy.stderr).toMatch(/not in the archive: .* of changes between then and/);
    expect(copy.stderr).toMatch(/a point-in-time restore leaves none of those \d+ s out/);
    const restored = await tenantry.run(
      ...['restore', 'acme', '--at', at.toISOString(), '--point-in-time', '--into', 'in-place', '--confirm', 'acme'],
    );
    expect(restored.code, restored.stderr).toBe(0);
    expect(await rows()).toEqual(wanted);
    const { rows: backups } = await control.query(
      `SELECT status, taken_at FROM backups WHERE tenant_id = 'acme' AND kind = 'point-in-time'`,
    );
    expect(backups).toEqual([{ status: 'sealed', taken_at: at }]);
    await until(
      'the temporary server is gone',
      async () => ((await instances()).length === 1 ? true : undefined),
      60_000,
    );
    expect(await instances()).toEqual([{ id: server, status: 'available' }]);
    expect((await control.query('SELECT FROM recoveries WHERE removed_at IS NULL')).rowCount).toBe(0);
  }, 240_000);

  test('cannot be had where no log holds it, and nothing is made', async () => {
    const pooled = await laptop.run('recover-point-in-time', { tenantId: 'globex', asOf: new Date().toISOString() });
    expect(pooled).toMatchObject({ status: 'FAILED', error: 'RecoveryFailed' });
    expect(pooled.cause).toMatch(/PlanRecovery: .*isolation pooled, where only archives can be restored/);
    const early = await laptop.run('recover-point-in-time', { tenantId: 'acme', asOf: '2020-01-01' });
    expect(early.cause).toMatch(/its server exists since/);
    expect(await instances()).toEqual([{ id: server, status: 'available' }]);
    await laptop.eventually(`SELECT FROM events WHERE detail_type = 'TenantRecoveryFailed' AND operation = $1`, [
      early.name,
    ]);
  });
});

test('a moment at which the tenant was elsewhere is no archive of it, and its instance goes all the same', async () => {
  const { rows: state } = await own.query(`UPDATE tenantry.tenants SET state = 'moved' RETURNING tenant_id`);
  expect(state).toEqual([{ tenant_id: 'acme' }]);
  const at = await write('SELECT 1');
  await own.query(`UPDATE tenantry.tenants SET state = 'open'`);
  const failed = await laptop.run('recover-point-in-time', { tenantId: 'acme', asOf: at.toISOString() });
  expect(failed).toMatchObject({ status: 'FAILED', error: 'RecoveryFailed' });
  expect(failed.cause).toMatch(/ExportRecovery: tenant acme was moved on server/);
  expect((await control.query('SELECT FROM backups WHERE operation_id = $1', [failed.name])).rowCount).toBe(0);
  await until('it is gone', async () => ((await instances()).length === 1 ? true : undefined), 60_000);
}, 180_000);

test('a recovery that is stopped half way leaves an instance, which the reaper deletes', async () => {
  const at = await write('SELECT 1');
  const execution = await laptop.start('recover-point-in-time', { tenantId: 'acme', asOf: at.toISOString() });
  const operation = execution.split(':').at(-1)!;
  await until('an instance', async () => ((await instances()).length === 2 ? true : undefined), 60_000);
  await laptop.api('POST', `/operations/${operation}/stop`, {});
  await laptop.eventually('SELECT FROM operations WHERE id = $1 AND ended_at IS NOT NULL', [operation]);
  const { cloud } = laptop;
  const lambda = new LambdaClient({ endpoint: cloud.endpoint, region: cloud.region, credentials: cloud.credentials });
  await until(
    'the reaper has asked for its deletion',
    async () => {
      await lambda.send(new InvokeCommand({ FunctionName: 'tenantry-reap-leases', Payload: Buffer.from('{}') }));
      const { rowCount } = await control.query('SELECT FROM recoveries WHERE removed_at IS NULL');
      return rowCount === 0 ? true : undefined;
    },
    60_000,
  );
  lambda.destroy();
  await until('it is gone', async () => ((await instances()).length === 1 ? true : undefined), 60_000);
}, 180_000);
