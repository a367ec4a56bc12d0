import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { DescribeDBInstancesCommand, RDSClient } from '@aws-sdk/client-rds';
import { expect, onTestFinished, test } from 'vitest';
import { region, rootKey } from '../gateway/account.ts';
import { instanceOf, openRds, query, rdsDirectory, reaches, reachesAt, settings } from './laptop-rds.ts';

test('kill -9 costs nothing: servers run on and are found again, what was being made is made', async () => {
  const directory = await rdsDirectory();
  const life = spawn(process.execPath, [join(import.meta.dirname, 'life.ts'), directory, JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void life.kill('SIGKILL'));
  const [line] = (await once(life.stdout, 'data')) as [Buffer];
  const client = new RDSClient({ endpoint: line.toString().trim(), region, credentials: rootKey, maxAttempts: 1 });
  await client.send(instanceOf('acme'));
  const before = await reachesAt(client, 'acme', 'available');
  await query(before, 'CREATE TABLE kept AS SELECT 7 AS answer');
  const startedAt = 'SELECT pg_postmaster_start_time()::text AS at';
  const [started] = await query(before, startedAt);
  await client.send(instanceOf('half', { DBName: 'chat' }));
  life.kill('SIGKILL');
  await once(life, 'exit');
  await expect(client.send(new DescribeDBInstancesCommand({}))).rejects.toThrow(/ECONNREFUSED/);
  expect(await query(before, 'SELECT answer FROM kept')).toEqual([{ answer: 7 }]);

  const rds = await openRds({ directory });
  const after = await rds.describe('acme');
  expect(after).toMatchObject({ DBInstanceStatus: 'available', Endpoint: before.Endpoint });
  expect(await query(after, startedAt)).toEqual([started]);
  const half = await reaches(rds, 'half', 'available');
  expect(await query(half, 'SELECT current_database() AS name', undefined, 'chat')).toEqual([{ name: 'chat' }]);

  await rds.service.close();
  await expect(query(before, 'SELECT')).rejects.toThrow(/ECONNREFUSED/);
  const next = await openRds({ directory });
  expect(await query(await next.describe('acme'), 'SELECT answer FROM kept')).toEqual([{ answer: 7 }]);
});
