import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { answers } from '../../local/postgres/postmaster.ts';
import { type PostgresOptions, type PostgresServer, reachableHome, startPostgres } from '../../local/postgres.ts';

const asRoot = process.getuid?.() === 0;
const running = new Set<PostgresServer>();

const temporary = async (): Promise<string> => {
  const directory = await mkdtemp(join(tmpdir(), 'tenantry-postgres-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
};

const start = async (options: PostgresOptions): Promise<PostgresServer> => {
  const server = await startPostgres({
    ...options,
    settings: { fsync: 'off', shared_buffers: '16MB', ...options.settings },
  });
  running.add(server);
  return server;
};

afterEach(async () => {
  for (const server of running) await server.stop();
  running.clear();
});

const query = async (server: PostgresServer, text: string): Promise<Record<string, unknown>[]> => {
  const client = new Client({
    host: server.host,
    port: server.port,
    user: server.superuser.username,
    password: server.superuser.password,
    database: 'postgres',
  });
  // A backend that is killed under an open connection must not fail the test by an unhandled event.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(text)).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
};

test('a new server can replicate logically, listens on loopback only and keeps its password to itself', async () => {
  const directory = await temporary();
  const server = await start({ directory });
  const [settings] = await query(
    server,
    `SELECT current_setting('wal_level') AS wal, current_setting('listen_addresses') AS listen, current_setting('unix_socket_directories') AS sockets,
            current_setting('jit') AS jit, current_setting('server_encoding') AS encoding`,
  );
  expect(settings).toEqual({ wal: 'logical', listen: '127.0.0.1', sockets: '', jit: 'off', encoding: 'UTF8' });
  expect(statSync(join(directory, 'server.json')).mode & 0o777).toBe(0o600);
  const stranger = new Client({
    host: server.host,
    port: server.port,
    user: 'postgres',
    password: 'guess',
    database: 'postgres',
  });
  await expect(stranger.connect()).rejects.toThrow(/password authentication failed/);
  expect(readdirSync(directory).filter((name) => /password|new/.test(name))).toEqual([]);
});

test('shared memory of a server is in its directory, where it goes with it', async () => {
  const directory = await temporary();
  const { pid } = await start({ directory });
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8');
  expect(maps).toContain(`${directory}/data/pg_dynshmem/`);
  expect(maps).not.toContain('/dev/shm/PostgreSQL.');
});

test.runIf(asRoot)('started by root the server runs as nobody', async () => {
  const server = await start({ directory: await temporary() });
  expect(statSync(`/proc/${server.pid}`).uid).toBe(65534);
});

test('rows, password and port survive a stop and a start', async () => {
  const directory = await temporary();
  const first = await start({ directory });
  await query(first, 'CREATE TABLE kept AS SELECT 7 AS answer');
  await first.stop();
  await first.stop();
  const second = await start({ directory });
  expect(second.port).toBe(first.port);
  expect(second.pid).not.toBe(first.pid);
  expect(await query(second, 'SELECT answer FROM kept')).toEqual([{ answer: 7 }]);
});

test('a second start adopts the running server instead of fighting it', async () => {
  const directory = await temporary();
  const first = await start({ directory });
  const second = await start({ directory });
  expect({ pid: second.pid, port: second.port, superuser: second.superuser }).toEqual({
    pid: first.pid,
    port: first.port,
    superuser: first.superuser,
  });
});

test('a server outlives kill -9 of the process that started it, and the next process adopts it', async () => {
  const directory = await temporary();
  const program = `
    const { startPostgres } = await import(${JSON.stringify(new URL('../../local/postgres.ts', import.meta.url).href)});
    const server = await startPostgres({ directory: ${JSON.stringify(directory)}, settings: { fsync: 'off', shared_buffers: '16MB' } });
    console.log(server.pid);
    setInterval(() => {}, 1000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(owner.stdout, 'data')) as [Buffer];
  owner.kill('SIGKILL');
  await once(owner, 'exit');
  const server = await start({ directory });
  expect(server.pid).toBe(Number(line.toString()));
});

test('after kill -9 of the postmaster under load the next start ends the orphans and recovers every commit', async () => {
  const directory = await temporary();
  let server = await start({ directory, settings: { fsync: 'on' } });
  await query(server, 'CREATE TABLE acked (n int PRIMARY KEY)');
  for (let round = 0; round < 2; round += 1) {
    const busy = [1, 2, 3, 4].map(() =>
      query(server, 'DO $$ BEGIN FOR i IN 1..2000000000 LOOP NULL; END LOOP; END $$').catch((error: unknown) => error),
    );
    await query(server, `INSERT INTO acked VALUES (${round})`);
    server.kill('SIGKILL');
    const before = server.pid;
    server = await start({ directory, settings: { fsync: 'on' } });
    expect(server.pid).not.toBe(before);
    await Promise.all(busy);
  }
  expect(await query(server, 'SELECT n FROM acked ORDER BY n')).toEqual([{ n: 0 }, { n: 1 }]);
});

test('whoever accepts a connection and says nothing is no server', async () => {
  const dying = createServer((socket) => socket.on('data', () => socket.destroy())).listen(0, '127.0.0.1');
  await once(dying, 'listening');
  onTestFinished(() => void dying.close());
  const address = dying.address();
  expect(await answers(typeof address === 'object' && address ? address.port : 0)).toBe(false);
});

test('a port that is taken is refused with its owner and the fix', async () => {
  const directory = await temporary();
  const squatter = createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  onTestFinished(() => void squatter.close());
  const address = squatter.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  await expect(start({ directory, port })).rejects.toThrow(
    new RegExp(`Port ${port} for PostgreSQL is used by pid ${process.pid}.*choose another port`),
  );
});

test('the number in a stale lock file may belong to a stranger by now', async () => {
  const directory = await temporary();
  const first = await start({ directory });
  await first.stop();
  const sleeper = spawn('/bin/sh', ['-c', 'read line'], asRoot ? { uid: 65534, gid: 65534 } : {});
  onTestFinished(() => void sleeper.kill());
  writeFileSync(
    join(directory, 'data', 'postmaster.pid'),
    `${sleeper.pid}\n${directory}/data\n1\n${first.port}\n\n127.0.0.1\n\nready\n`,
  );
  const second = await start({ directory });
  expect(second.pid).not.toBe(sleeper.pid);
  expect(await query(second, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('a crash in the middle of initdb leaves nothing that is taken for a cluster', async () => {
  const directory = await temporary();
  mkdirSync(join(directory, 'data.new'));
  writeFileSync(join(directory, 'data.new', 'PG_VERSION'), '15\n');
  const server = await start({ directory });
  expect(await query(server, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('data of another major version is refused by name', async () => {
  const directory = await temporary();
  const server = await start({ directory });
  await server.stop();
  writeFileSync(join(directory, 'data', 'PG_VERSION'), '14\n');
  await expect(start({ directory })).rejects.toThrow(/made by PostgreSQL 14, but .* is version 15/);
});

test('a TENANTRY_PG_BIN without programs is refused with an example', async () => {
  const directory = await temporary();
  process.env.TENANTRY_PG_BIN = '/nowhere/bin';
  onTestFinished(() => {
    delete process.env.TENANTRY_PG_BIN;
  });
  await expect(start({ directory })).rejects.toThrow(
    'TENANTRY_PG_BIN is /nowhere/bin, but /nowhere/bin/postgres does not exist',
  );
});

test.runIf(asRoot)('a data directory below a closed one is refused with the directory and the fix', async () => {
  const outer = await temporary();
  await expect(startPostgres({ directory: join(outer, 'inner', 'postgres') })).rejects.toThrow(
    new RegExp(`may not enter ${outer} .*chmod o\\+x ${outer}`),
  );
  expect(existsSync(join(outer, 'inner', 'postgres', 'data'))).toBe(false);
});

test.runIf(asRoot)('the home of a clone that nobody cannot reach lies below /var/tmp', async () => {
  const clone = await temporary();
  expect(reachableHome(clone)).toMatch(/^\/var\/tmp\/tenantry-[0-9a-f]{8}$/);
  chmodSync(clone, 0o755);
  expect(reachableHome(clone)).toBe(join(clone, '.tenantry'));
});

test('what the server says when it refuses to start reaches the caller', async () => {
  const directory = await temporary();
  await expect(start({ directory, settings: { shared_buffers: 'lots' } })).rejects.toThrow(
    /invalid value for parameter "shared_buffers": "lots"/,
  );
  expect(readFileSync(join(directory, 'postgres.log'), 'utf8')).toContain('shared_buffers');
});
