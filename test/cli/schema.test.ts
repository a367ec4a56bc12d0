import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../../local/postgres.ts';
import { terminal } from './terminal.ts';

let home: string;
let server: PostgresServer;
let tenantry: ReturnType<typeof terminal>;
let admin: pg.Client;
let shop: string;

/** The data directory of a cloud of which only the server runs: all that a schema command asks of it. */
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'tenantry-schema-'));
  // As root PostgreSQL runs as another user, who has to pass through here.
  await chmod(home, 0o711);
  server = await startPostgres({
    directory: join(home, 'postgres'),
    settings: { fsync: 'off', shared_buffers: '32MB' },
  });
  const { host, port, superuser } = server;
  await writeFile(
    join(home, 'cloud.json'),
    JSON.stringify({ pid: process.pid, port: 1, token: '', postgres: { host, port } }),
  );
  tenantry = terminal(home);
  admin = new pg.Client({ host, port, user: superuser.username, password: superuser.password, database: 'postgres' });
  await admin.connect();
  await admin.query('CREATE DATABASE shop');
  shop = `postgres://${superuser.username}:${superuser.password}@${host}:${port}/shop`;
  const client = new pg.Client(shop);
  await client.connect();
  await client.query(`CREATE TABLE firm (id int PRIMARY KEY); CREATE TABLE item (id int PRIMARY KEY, firm int NOT NULL REFERENCES firm);
    INSERT INTO firm VALUES (1); INSERT INTO item VALUES (1, 1)`);
  await client.end();
});
afterAll(async () => {
  await admin.end();
  await server.stop();
  await rm(home, { recursive: true, force: true });
});

const scratches = async (): Promise<unknown[]> =>
  (await admin.query("SELECT FROM pg_database WHERE datname LIKE 'tenantry_scratch%'")).rows;

// Each command is a process that loads the command line: 3 s each where several test runs share two cores.
describe('schema lint', { timeout: 120_000 }, () => {
  test('finds nothing in the sample app’s migrations, and leaves no database behind', async () => {
    const { code, stdout, stderr } = await tenantry.run('schema', 'lint');
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain('shared by all tenants: public.emoji_catalogue');
    expect(stderr).toContain('9 tenant tables, 0 findings');
    expect(await scratches()).toEqual([]);
  });

  test('names what breaks the rule in a folder of migrations, why, and the fix', async () => {
    const folder = join(home, 'migrations');
    await mkdir(folder);
    await writeFile(join(folder, '001-a.sql'), 'CREATE TABLE a (tenant_id text NOT NULL, id int PRIMARY KEY)');
    const { code, stdout } = await tenantry.run('schema', 'lint', '--migrations', folder);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^public\.a\n {2}why {2}its primary key \(id\) lacks tenant_id.*\n {2}fix {2}make it PRIMARY KEY \(tenant_id, id\)/,
    );
    await writeFile(join(folder, '002-b.sql'), 'CREATE TABEL b ()');
    const broken = await tenantry.run('schema', 'lint', '--migrations', folder);
    expect(broken).toMatchObject({ code: 1, stdout: '' });
    expect(broken.stderr).toContain('migration 002-b.sql fails: syntax error');
    expect(await scratches()).toEqual([]);
  });

  test('reads a database by its URL, and answers JSON', async () => {
    expect(await tenantry.json(['schema', 'lint', '--database', shop], 1)).toMatchObject({
      tables: [],
      shared: ['public.firm', 'public.item'],
      findings: [{ breaks: expect.stringContaining('no table has tenant_id') }],
    });
  });

  test('tells apart a wrong URL, a wrong password and a missing database, and repeats no password', async () => {
    const wrong = [
      ['mysql://u:hush@h/d', 2],
      ['postgres://u:hush@[::x/d', 2],
      [shop.replace(/:[^:@]+@/, ':hush@'), 4],
      [`${shop}2`, 4],
      ['postgres://u:hush@127.0.0.1:1/d', 4],
    ] as const;
    const answers = await Promise.all(wrong.map(([url]) => tenantry.run('schema', 'lint', '--database', url)));
    expect(answers.map(({ code }) => code)).toEqual(wrong.map(([, code]) => code));
    for (const { stdout, stderr } of answers) {
      expect(stderr).toMatch(/^--database: .*\n$/);
      expect(stdout + stderr).not.toContain('hush');
      expect(stderr).not.toContain(server.superuser.password);
    }
  });
});

describe('schema adopt', { timeout: 120_000 }, () => {
  const adopt = (...words: string[]) => tenantry.run('schema', 'adopt', '--database', shop, ...words);

  test('writes a migration that makes the lint content, once', async () => {
    const file = join(home, '002-adopt.sql');
    const written = await adopt('--tenant-root', 'firm', '--out', file);
    expect(written).toMatchObject({ code: 0, stdout: '', stderr: `2 tables get tenant_id: ${file}\n` });
    expect((await adopt('--tenant-root', 'firm', '--out', file)).code).toBe(5);
    expect((await adopt('--tenant-root', 'firm')).stdout.trimEnd()).toBe((await readFile(file, 'utf8')).trimEnd());
    const client = new pg.Client(shop);
    await client.connect();
    await client.query(`BEGIN; ${await readFile(file, 'utf8')}; COMMIT`);
    expect((await client.query('SELECT tenant_id FROM item')).rows).toEqual([{ tenant_id: 't-1' }]);
    await client.end();
    expect((await tenantry.run('schema', 'lint', '--database', shop)).code).toBe(0);
    const again = await adopt('--tenant-root', 'firm', '--out', join(home, 'none.sql'));
    expect(again).toMatchObject({ code: 0, stdout: '', stderr: expect.stringContaining('nothing to do') });
    await expect(readFile(join(home, 'none.sql'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('refuses with exit code 1 and writes nothing, or 2 where the request is wrong', async () => {
    const client = new pg.Client(shop);
    await client.connect();
    await client.query('CREATE TABLE loose (id int PRIMARY KEY, item int, item_tenant text)');
    await client.query('ALTER TABLE loose ADD FOREIGN KEY (item_tenant, item) REFERENCES item (tenant_id, id)');
    await client.end();
    const out = join(home, 'refused.sql');
    const { code, stdout, stderr } = await adopt('--tenant-root', 'firm', '--out', out);
    expect(code).toBe(1);
    expect(stdout).toContain('public.loose\n  why  its only way to a tenant may be NULL');
    expect(stderr).toContain('refused for 1 reason; nothing was written');
    await expect(readFile(out)).rejects.toMatchObject({ code: 'ENOENT' });
    const missing = await adopt('--tenant-root', 'company');
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('--tenant-root: there is no "company"') });
    expect((await tenantry.run('schema', 'adopt')).code).toBe(2);
  });
});
