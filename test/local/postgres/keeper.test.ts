import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { keepPostgres } from '../../../local/postgres/keeper.ts';
import { servesDirectory } from '../../../local/postgres/postmaster.ts';

test('a server that is killed comes back on its port with every commit, one that is stopped stays down', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tenantry-postgres-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  let back: () => void = () => undefined;
  const server = await keepPostgres({
    directory,
    settings: { shared_buffers: '16MB' },
    log: (line) => {
      if (line.startsWith('PostgreSQL started')) back();
    },
  });
  const query = async (text: string) => {
    const client = new Client({
      ...server.superuser,
      user: server.superuser.username,
      host: server.host,
      port: server.port,
      database: 'postgres',
    });
    client.on('error', () => undefined);
    await client.connect();
    const { rows } = await client.query<Record<string, unknown>>(text);
    await client.end();
    return rows;
  };
  await query('CREATE TABLE kept AS SELECT 7 AS answer');
  const before = server.pid;
  const restarted = new Promise<void>((done) => {
    back = done;
  });
  server.kill('SIGKILL');
  await restarted;
  expect(await query('SELECT answer FROM kept')).toEqual([{ answer: 7 }]);
  expect(server.pid).not.toBe(before);
  const last = server.pid;
  await server.stop();
  expect(servesDirectory(last, join(directory, 'data'))).toBe(false);
});
